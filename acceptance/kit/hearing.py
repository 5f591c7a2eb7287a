"""A bot and a softphone that records what it hears: what the bot played is compared with that, and keys come back."""

from __future__ import annotations

import io
import random
from contextlib import ExitStack
from pathlib import Path

from kit import audio, check
from kit.bot import Bot
from kit.certificates import Certificate
from kit.graph import Graph
from kit.operations import Ledger
from kit.server import Server, World

ALIKE = 0.9
"""What the phone heard is at least so like the prompt …"""

UNLIKE = 0.3
"""… and less than so like another prompt."""

PROMPT_SECONDS = 5.0

SAYS_SECONDS = 30.0

RECORD_SECONDS = 3

KEYS = "159*0#"

TONES = ["tone1", "tone5", "tone9", "star", "tone0", "pound"]


class Hearing:
    """One server for all cases of a part; each case has a phone of its own and prompts of its own."""

    alike = ALIKE

    def __init__(
        self,
        program: Path,
        folder: Path,
        stack: ExitStack,
        certificate: Certificate | None = None,
        *,
        open_to_any: bool = False,
        names: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.bot = stack.enter_context(Bot())
        self.world = World(self.bot.callback, certificate=certificate, open_to_any=open_to_any, names=names)
        self.server = stack.enter_context(Server(program, folder / "server", self.world))
        self.graph = Graph(self.server)
        self.seed = random.SystemRandom().randrange(1 << 32)
        self.draw = random.Random(self.seed)
        print(f"      seed of this run: {self.seed}")

    def answer_next(self, before: int) -> str:
        """Answers the call that comes in after `before` notices; gives its id."""
        call = str(self.bot.wait_incoming(before).data["id"])
        self.graph.answer(call, self.bot.callback)
        return call

    def play(self, call: str, highest: float = audio.NARROW_BAND) -> audio.Sound:
        """Plays a prompt with tones up to so many hertz to its end; gives what was played."""
        prompt = audio.draw_tones(self.draw, PROMPT_SECONDS, highest)
        url = self.bot.prompt(f"tones-{self.draw.randrange(1 << 32)}", audio.wav_bytes(prompt))
        operation = self.graph.play(call, url)
        end = self.bot.wait_operation(call, operation)
        check.same(end.data["status"], "completed", f"the prompt's end ({end.data.get('resultInfo')})")
        return prompt

    def compare(self, heard: audio.Sound, rate: int, played: audio.Sound) -> None:
        """What the phone heard, with so many samples a second, is what was played."""
        other = audio.draw_tones(self.draw, PROMPT_SECONDS)
        sounds = [audio.at_rate(sound, audio.PROMPT_RATE, rate) for sound in (played, other)]
        right, wrong = (audio.likeness(heard, sound, rate) for sound in sounds)
        print(f"      heard {len(heard) / rate:.1f} s: {right:.3f} like the prompt, {wrong:.3f} like another")
        check.that(wrong < UNLIKE, f"what was heard is {wrong:.3f} like another prompt, wanted less than {UNLIKE}")
        check.alike(right, self.alike, "the prompt")

    def says(self, rate: int) -> audio.Sound:
        """Something for a phone to say, longer than any call here."""
        return audio.at_rate(audio.draw_tones(self.draw, SAYS_SECONDS), audio.PROMPT_RATE, rate)

    def what_it_says_is_recorded(self, call: str, says: audio.Sound, rate: int) -> None:
        """Records the phone for some seconds: that is found again in what it says all the time."""
        recorded = audio.at_rate(self.recorded(call), audio.PROMPT_RATE, rate)
        other = audio.at_rate(audio.draw_tones(self.draw, len(says) / rate), audio.PROMPT_RATE, rate)
        right, wrong = (audio.likeness(sound, recorded, rate) for sound in (says, other))
        print(
            f"      recorded {len(recorded) / rate:.1f} s: {right:.3f} like what it says, {wrong:.3f} like other words"
        )
        check.that(wrong < UNLIKE, f"the recording is {wrong:.3f} like other words, wanted less than {UNLIKE}")
        check.alike(right, ALIKE, "what the phone says")

    def recorded(self, call: str) -> audio.Sound:
        """Records the phone for some seconds, with `PROMPT_RATE` samples in each."""
        url = self.bot.prompt("ask", audio.wav_bytes(audio.draw_tones(self.draw, 0.5)))
        operation = self.graph.record(call, url, RECORD_SECONDS)
        end = self.bot.wait_operation(call, operation)
        check.same(end.data["status"], "completed", f"the recording's end ({end.data.get('resultInfo')})")
        recording = self.graph.recording(end.data["recordingLocation"], end.data["recordingAccessToken"])
        recorded, rate = audio.read_wav(io.BytesIO(recording))
        check.same(rate, audio.PROMPT_RATE, "the recording's rate")
        check.that(len(recorded) > 0.8 * RECORD_SECONDS * rate, f"{len(recorded) / rate:.1f} s recorded")
        return recorded

    def keys_are_told(self, call: str) -> None:
        """The bot is told of `KEYS`, each once and in order."""
        self.bot.wait(f"{len(TONES)} keys", lambda _: len(self.bot.tones(call)) >= len(TONES))
        check.same(self.bot.tones(call), TONES, "the keys")

    def ended_well(self, call: str) -> None:
        check.same(Ledger(self.bot, call).closed()["code"], 200, "the call's result")
