"""The example bots, one IVR in three languages, as they stand in examples/ and with Microsoft's hosts built in, each
started by nothing but `ringback run` and called by baresip: prompts are heard, keys steer, a message is recorded and kept,
what is told twice is done once, and strangers are refused.
"""

from __future__ import annotations

import itertools
import random
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from kit import audio, check, ivr, part
from kit.baresip import RATE, Baresip
from kit.door import Door
from kit.processes import Running, free_port
from kit.server import Phone, address

MOST_LINES = 150
"""Lines that a bot must stay below."""

SPEAKS = 4.0
"""Seconds that are recorded before the caller presses a key."""

SECOND_BYTES = 2 * 16_000
"""Bytes of a second of a recording."""

RECORDED_ALIKE = 0.7
"""A message is at least so like what the phone says; other words are less than 0.3. A phone on a busy machine speaks by
fits and starts.
"""

FILES = {"python": ["bot.py"], "node": ["bot.mjs"], "rust": ["src/lib.rs", "src/main.rs"]}
"""What each bot is made of."""

DEVELOPMENT_PHONE = Phone("1001", "ringback")
"""A phone of the development directory."""

DONE, CUT_SHORT = ("completed", 0), ("failed", 8508)
BEFORE, AFTER = {"keys": DONE, "cancel": DONE}, {"bye": DONE}
"""What the bot does in every call."""


def words(draw: random.Random, seconds: float) -> audio.Sound:
    """Something to say, at the phone's rate: sounds with pauses between, as speech has them."""
    pause = np.zeros(RATE // 4)
    said: list[audio.Sound] = []
    while sum(map(len, said)) < seconds * RATE:
        said += [audio.at_rate(audio.draw_tones(draw, draw.uniform(0.4, 1.2)), audio.PROMPT_RATE, RATE), pause]
    return np.concatenate(said)


class Ivr:
    """One bot, started by nothing but `ringback run`, and a phone."""

    def __init__(self, language: str, program: Path, folder: Path, stack: ExitStack) -> None:
        self.folder = folder / language
        self.place = self.folder / "bot"
        self.place.mkdir(parents=True)
        texts = [(ivr.EXAMPLES / language / file).read_text() for file in FILES[language]]
        lines = sum(len(text.splitlines()) for text in texts)
        check.that(lines < MOST_LINES, f"the {language} bot has {lines} lines, wanted less than {MOST_LINES}")
        self.port = free_port()
        self.tenant, self.app = str(uuid.uuid4()), str(uuid.uuid4())
        identity = {
            "AZURE_TENANT_ID": self.tenant,
            "AZURE_CLIENT_ID": self.app,
            "AZURE_CLIENT_SECRET": uuid.uuid4().hex,
            # Not the usual port, which another program of this machine may have.
            "LISTEN": f"127.0.0.1:{self.port}",
        }
        data = self.folder / "data"
        run = [program, "run", "--data", data, "--", *ivr.command(language, program)]
        self.bot = Running(run, self.folder / "bot.log", env=identity, cwd=self.place)
        stack.callback(self.bot.end, check.PATIENCE)
        ivr.wait_until_it_listens(self.bot, "127.0.0.1", self.port)
        self.sip = address(self.bot.said(r"phones register at (\S+);")[1])
        check.same(self.bot.said(r"incoming calls are told to (\S+):")[1], self.webhook, "where run found it")
        self.number = self.bot.said(r"phones reach the bot at (\d+)")[1]
        self.door = Door(data)
        self.says = words(random.Random(), 60)
        self.numbers = itertools.count(1)

    @property
    def webhook(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/calls"

    def call(self, key: str, menu: str, then: Callable[[Baresip, str], None] | None = None) -> tuple[str, audio.Sound]:
        """A phone calls the bot and presses a key once the menu is `running` or `completed`, and does what is to be
        done `then`; gives the call's id, and what the phone heard until the bot hung up.
        """
        place = self.folder / f"phone-{next(self.numbers)}"
        with Baresip(place, DEVELOPMENT_PHONE, self.sip, says=self.says) as phone:
            phone.wait_registered()
            phone.dial(self.number)
            phone.wait_established()
            call = check.soon(self.door.lives, "the call lives")
            self.wait(call, "menu", menu)
            phone.press(key)
            if then is not None:
                then(phone, call)
            phone.wait_closed()
            check.that(self.bot.process.poll() is None, f"the bot runs on ({self.bot.tail()})")
            return call, phone.heard()[0]

    def wait(self, call: str, context: str, status: str) -> None:
        """Until an operation is in this state."""
        check.soon(lambda: self.door.status(call, context) == status, f"{context} is {status}", said=self.bot.tail)

    def recorded(self, call: str) -> float:
        """Seconds of the call's recording that the server has written down, while it records on."""
        parts = (self.folder / "data/recordings").rglob(f"{call}_*.part")
        return sum(file.stat().st_size for file in parts) / SECOND_BYTES

    def ended(self, call: str, how: dict[str, tuple[str, int]]) -> None:
        """The call had these operations, each once, and they ended with this status and subcode."""
        found = [
            (one["clientContext"], (one["status"], one["resultInfo"]["subcode"])) for one in self.door.operations(call)
        ]
        check.same(sorted(found), sorted((BEFORE | how | AFTER).items()), "how the operations ended")

    # The cases

    def prompts_are_heard(self) -> None:
        call, sound = self.call("1", "completed")
        ivr.heard(sound, ["menu", "hours", "bye"], "address")
        self.ended(call, {"menu": DONE, "hours": DONE})

    def a_key_steers_and_cuts_the_menu_short(self) -> None:
        call, sound = self.call("2", "running")
        ivr.heard(sound, ["address", "bye"], "hours")
        self.ended(call, {"menu": CUT_SHORT, "address": DONE})

    def a_message_is_recorded_and_kept(self) -> None:
        def leave(phone: Baresip, call: str) -> None:
            self.wait(call, "message", "running")
            check.soon(lambda: self.recorded(call) >= SPEAKS, f"{SPEAKS:.0f} s are recorded")
            phone.press("#")

        call, sound = self.call("3", "running", leave)
        ivr.heard(sound, ["message", "bye"], "hours")
        self.ended(call, {"menu": CUT_SHORT, "message": ("completed", 8514)})
        kept = self.place / f"message-{call}.wav"
        check.soon(kept.is_file, "the bot kept the message", said=self.bot.tail)
        recorded, rate = audio.read_wav(kept)
        recorded = audio.at_rate(recorded, rate, RATE)
        likeness = audio.likeness(self.says, recorded, RATE)
        print(f"      recorded {len(recorded) / RATE:.1f} s: {likeness:.3f} like what the phone says")
        check.that(len(recorded) >= RATE, "a second was recorded")
        check.alike(likeness, RECORDED_ALIKE, "what the phone says")
        stored = list((self.folder / "data/recordings").rglob(f"{call}_*.wav"))
        check.same([file.read_bytes() for file in stored], [kept.read_bytes()], "the recording as the server keeps it")

    def what_is_told_twice_is_done_once(self) -> None:
        self.door.ask("POST", "test/faults", {"fault": "duplicate", "next": 1000, "app": self.app})
        call, sound = self.call("2", "running")
        self.door.ask("DELETE", "test/faults")
        ivr.heard(sound, ["address", "bye"], "hours")
        self.ended(call, {"menu": CUT_SHORT, "address": DONE})

    def strangers_are_refused(self) -> None:
        """Without a token; and whatever the linter tries: unsigned, forged, expired, another app's."""
        request = urllib.request.Request(self.webhook, data=b'{"value": []}', method="POST")
        try:
            urllib.request.urlopen(request, timeout=check.PATIENCE)
        except urllib.error.HTTPError as error:
            check.same(error.code, 401, "status of what a stranger sends")
        else:
            raise check.Failed("the bot took a stranger's notification")
        tried = self.door.ask("POST", f"trials/tokens/{self.app}")["value"]
        accepted = [one for one in tried if one["accepted"]]
        print("      " + ", ".join(f"{one.get('token', one)}: {one['status']}" for one in tried))
        check.same(len(accepted), 1, f"tokens that the bot accepted, of {len(tried)} ({accepted})")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    run: list[part.Case] = []
    for language in FILES:
        bot = Ivr(language, program, folder, stack)
        steps = [
            bot.prompts_are_heard,
            bot.a_key_steers_and_cuts_the_menu_short,
            bot.a_message_is_recorded_and_kept,
            bot.what_is_told_twice_is_done_once,
            bot.strangers_are_refused,
        ]
        run += [(f"{language}: {name}", step) for name, step in part.named(steps)]
    return run


if __name__ == "__main__":
    part.main(cases)
