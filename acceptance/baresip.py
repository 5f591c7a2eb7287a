"""baresip, a real softphone: what it hears is compared with what the bot played, at 2 % packet loss too."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from kit import audio, check, part
from kit.baresip import RATE, Baresip
from kit.bot import Bot
from kit.graph import Graph
from kit.operations import Ledger
from kit.relay import LossyRelay
from kit.server import BOT_NUMBER, Server, World

ALIKE = 0.9
"""What the phone heard is at least so like the prompt …"""

UNLIKE = 0.3
"""… and less than so like another prompt."""

LOSS = 0.02

PROMPT_SECONDS = 5.0

KEYS = "159*0#"
TONES = ["tone1", "tone5", "tone9", "star", "tone0", "pound"]


class Suite:
    """One server for all cases; each case has a phone of its own and prompts of its own."""

    def __init__(self, program: Path, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.bot = stack.enter_context(Bot())
        self.world = World(self.bot.callback)
        self.server = stack.enter_context(Server(program, folder / "server", self.world))
        self.graph = Graph(self.server)
        self.seed = random.SystemRandom().randrange(1 << 32)
        self.draw = random.Random(self.seed)
        print(f"      seed of prompts and losses: {self.seed}")

    def phone(self, name: str, *, answers: bool = False, through: int | None = None) -> Baresip:
        user = self.world.phones[0]
        return Baresip(self.folder / name, user, self.server.sip, answers=answers, through=through)

    def incoming(self, phone: Baresip) -> str:
        """The phone calls the bot, which answers; gives the call's id."""
        before = len(self.bot.journal)
        phone.dial(BOT_NUMBER)
        call = str(self.bot.wait_incoming(before).data["id"])
        self.graph.answer(call, self.bot.callback)
        phone.wait("CALL_ESTABLISHED")
        self.bot.wait_ready(call)
        return call

    def play(self, call: str) -> audio.Sound:
        """Plays a prompt to its end; gives what was played, at the phone's rate."""
        prompt = audio.draw_tones(self.draw, PROMPT_SECONDS)
        url = self.bot.prompt(f"tones-{self.draw.randrange(1 << 32)}", audio.wav_bytes(prompt))
        operation = self.graph.play(call, url)
        end = self.bot.wait_operation(call, operation, PROMPT_SECONDS + 15)
        check.same(end.data["status"], "completed", f"the prompt's end ({end.data.get('resultInfo')})")
        return audio.at_rate(prompt, audio.PROMPT_RATE, RATE)

    def compare(self, phone: Baresip, played: audio.Sound) -> None:
        heard = phone.heard()
        other = audio.at_rate(audio.draw_tones(self.draw, PROMPT_SECONDS), audio.PROMPT_RATE, RATE)
        right, wrong = (audio.likeness(heard, sound, RATE) for sound in (played, other))
        print(f"      heard {len(heard) / RATE:.1f} s: {right:.3f} like the prompt, {wrong:.3f} like another")
        check.that(right >= ALIKE, f"what was heard is {right:.3f} like the prompt, wanted {ALIKE}")
        check.that(wrong < UNLIKE, f"what was heard is {wrong:.3f} like another prompt, wanted less than {UNLIKE}")

    def press_keys(self, phone: Baresip, call: str) -> None:
        phone.press(KEYS)

        def tones() -> list[str | None]:
            return [notice.tone for notice in self.bot.so_far(call) if notice.tone]

        check.soon(lambda: len(tones()) >= len(TONES), f"{len(TONES)} keys told; told so far: {tones()}")
        check.same(tones(), TONES, "the keys")

    def it_calls_and_hears_the_prompt_and_presses_keys(self) -> None:
        with self.phone("calls") as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            self.graph.subscribe_to_tone(call)
            played = self.play(call)
            self.press_keys(phone, call)
            self.graph.hang_up(call)
            phone.wait("CALL_CLOSED")
            self.compare(phone, played)
        check.same(Ledger(self.bot, call).closed()["code"], 200, "the call's result")

    def it_hangs_up(self) -> None:
        with self.phone("hangs-up") as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            phone.hang_up()
            phone.wait("CALL_CLOSED")
            check.same(Ledger(self.bot, call).closed()["code"], 200, "the call's result")

    def it_is_called(self) -> None:
        with self.phone("is-called", answers=True) as phone:
            phone.wait_registered()
            call = self.graph.call_user(self.world.phones[0].id, self.bot.callback)
            phone.wait("CALL_ESTABLISHED")
            self.bot.wait_ready(call)
            played = self.play(call)
            phone.hang_up()
            check.same(Ledger(self.bot, call).closed()["code"], 200, "the call's result")
            phone.wait("CALL_CLOSED")
            self.compare(phone, played)

    def it_hears_through_a_wire_that_loses_packets(self) -> None:
        relay = LossyRelay(self.server.sip, LOSS, self.seed)
        try:
            with self.phone("loses", through=relay.port) as phone:
                phone.wait_registered()
                call = self.incoming(phone)
                self.graph.subscribe_to_tone(call)
                played = self.play(call)
                self.press_keys(phone, call)
                self.graph.hang_up(call)
                phone.wait("CALL_CLOSED")
                print(f"      {relay.dropped} of {relay.passed + relay.dropped} packets lost")
                check.that(relay.dropped > 0, "the wire lost something")
                self.compare(phone, played)
        finally:
            relay.close()
        check.same(Ledger(self.bot, call).closed()["code"], 200, "the call's result")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    suite = Suite(program, folder, stack)
    run = [
        suite.it_calls_and_hears_the_prompt_and_presses_keys,
        suite.it_hangs_up,
        suite.it_is_called,
        suite.it_hears_through_a_wire_that_loses_packets,
    ]
    return part.named(run)


if __name__ == "__main__":
    part.main(cases)
