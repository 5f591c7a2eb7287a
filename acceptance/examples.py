"""The example bots, one IVR in three languages, as they stand in examples/ and with Microsoft's hosts built in, each
started by `ringback run` and called by baresip: prompts are heard, keys steer, a message is recorded and kept.
"""

from __future__ import annotations

import itertools
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from kit import audio, check, ivr, part
from kit.baresip import RATE, Baresip, free_tcp_port
from kit.graph import Graph
from kit.hearing import ALIKE
from kit.processes import Running
from kit.server import BOT_NUMBER, Server, World

MOST_LINES = 150
"""Lines that a bot must stay below."""

CALL_WITHIN = 60.0
"""Seconds until a call must have ended."""

SPEAKS = 8.0
"""Seconds from the request to record until the caller presses a key: the prompt, the beep, and some words."""

Json = dict[str, Any]

FILES = {"python": ["bot.py"], "node": ["bot.mjs"], "rust": ["src/lib.rs", "src/main.rs"]}
"""What each bot is made of."""


def words(draw: random.Random, seconds: float) -> audio.Sound:
    """Something to say, at the phone's rate: sounds with pauses between, as speech has them."""
    pause = np.zeros(RATE // 4)
    said: list[audio.Sound] = []
    while sum(map(len, said)) < seconds * RATE:
        said += [audio.at_rate(audio.draw_tones(draw, draw.uniform(0.4, 1.2)), audio.PROMPT_RATE, RATE), pause]
    return np.concatenate(said)


class Ivr:
    """One bot, started by `ringback run` beside a server of its own, and a phone."""

    def __init__(self, language: str, program: Path, folder: Path, stack: ExitStack) -> None:
        self.language = language
        self.folder = folder / language
        self.place = self.folder / "bot"
        self.place.mkdir(parents=True)
        texts = [(ivr.EXAMPLES / language / file).read_text() for file in FILES[language]]
        lines = sum(len(text.splitlines()) for text in texts)
        check.that(lines < MOST_LINES, f"the {language} bot has {lines} lines, wanted less than {MOST_LINES}")
        port = free_tcp_port()
        self.world = World(f"http://127.0.0.1:{port}/api/calls")
        self.server = stack.enter_context(Server(program, self.folder / "server", self.world))
        self.graph = Graph(self.server)
        identity = {
            "AZURE_TENANT_ID": self.world.tenant,
            "AZURE_CLIENT_ID": self.world.app,
            "AZURE_CLIENT_SECRET": self.world.secret,
            "LISTEN": f"127.0.0.1:{port}",
        }
        run = [program, "run", "--data", self.folder / "server/data", "--", *ivr.command(language, program)]
        self.bot = Running(run, self.folder / "bot.log", env=identity, cwd=self.place)
        stack.callback(self.bot.end)
        ivr.wait_until_it_listens(self.bot, "127.0.0.1", port)
        self.says = words(random.Random(), 60)
        self.numbers = itertools.count(1)

    def operations(self, call: str) -> dict[str, Json]:
        """A call's operations by their clientContext."""
        answer = self.graph.ask("GET", f"/v1.0/communications/calls/{call}/operations")
        return {one["clientContext"]: one for one in answer.json["value"]} if answer.status == 200 else {}

    def lives(self) -> str | None:
        """The id of the call that lives, if there is one."""
        calls = self.graph.ask("GET", "/v1.0/communications/calls").json["value"]
        return calls[0]["id"] if calls else None

    def call(self, key: str, menu: str, then: Callable[[Baresip, str], None] | None = None) -> tuple[str, audio.Sound]:
        """A phone calls the bot and presses a key once the menu is `running` or `completed`, and does what is to be
        done `then`; gives the call's id, and what the phone heard until the bot hung up.
        """
        place = self.folder / f"phone-{next(self.numbers)}"
        with Baresip(place, self.world.phones[0], self.server.sip, answers=False, says=self.says) as phone:
            phone.wait_registered()
            phone.dial(BOT_NUMBER)
            phone.wait("CALL_ESTABLISHED")
            call = check.soon(self.lives, "the call lives")
            self.wait(call, "menu", menu)
            phone.press(key)
            if then is not None:
                then(phone, call)
            phone.wait("CALL_CLOSED", within=CALL_WITHIN)
            check.that(self.bot.process.poll() is None, f"the bot runs on ({self.bot.tail()})")
            return call, phone.heard()

    def wait(self, call: str, context: str, status: str) -> None:
        """Until an operation is in this state."""

        def reached() -> bool:
            return self.operations(call).get(context, {}).get("status") == status

        check.soon(reached, f"{context} is {status} (the bot's words:\n{self.bot.tail()})", CALL_WITHIN)

    def ended(self, call: str, how: dict[str, tuple[str, int]]) -> None:
        """Each of the call's operations ended with this status and subcode."""
        found = {
            context: (one["status"], one["resultInfo"]["subcode"]) for context, one in self.operations(call).items()
        }
        check.same({context: found.get(context) for context in how}, how, "how the operations ended")

    # The cases

    def prompts_are_heard(self) -> None:
        call, sound = self.call("1", "completed")
        ivr.heard(sound, ["menu", "hours", "bye"], "address")
        done = ("completed", 0)
        self.ended(call, {"menu": done, "hours": done, "bye": done})

    def a_key_steers_and_cuts_the_menu_short(self) -> None:
        call, sound = self.call("2", "running")
        ivr.heard(sound, ["address", "bye"], "hours")
        done = ("completed", 0)
        self.ended(call, {"menu": ("failed", 8508), "address": done, "bye": done})

    def a_message_is_recorded_and_kept(self) -> None:
        def leave(phone: Baresip, call: str) -> None:
            self.wait(call, "message", "running")
            time.sleep(SPEAKS)
            phone.press("#")

        call, sound = self.call("3", "running", leave)
        ivr.heard(sound, ["message", "bye"], "hours")
        self.ended(call, {"message": ("completed", 8514), "bye": ("completed", 0)})
        kept = self.place / f"message-{call}.wav"
        check.soon(kept.is_file, f"the bot kept the message ({self.bot.tail()})")
        recorded, rate = audio.read_wav(kept)
        recorded = audio.at_rate(recorded, rate, RATE)
        likeness = audio.likeness(self.says, recorded, RATE)
        print(f"      recorded {len(recorded) / RATE:.1f} s: {likeness:.3f} like what the phone says")
        check.that(len(recorded) >= RATE, "a second was recorded")
        check.that(likeness >= ALIKE, f"the message is {likeness:.3f} like what the phone says, wanted {ALIKE}")
        stored = list((self.folder / "server/data/recordings").rglob(f"{call}_*.wav"))
        check.same([file.read_bytes() for file in stored], [kept.read_bytes()], "the recording as the server keeps it")

    def strangers_are_refused(self) -> None:
        """Without a token, and with one that is the bot's own and not the platform's."""
        for token in (None, self.graph.token):
            request = urllib.request.Request(self.world.webhook, data=b'{"value": []}', method="POST")
            if token:
                request.add_header("Authorization", f"Bearer {token}")
            try:
                urllib.request.urlopen(request, timeout=10)
            except urllib.error.HTTPError as error:
                check.that(error.code in (401, 403), f"wanted 401 or 403, found {error.code}")
            else:
                raise check.Failed("the bot took a stranger's notification")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    run: list[part.Case] = []
    for language in FILES:
        bot = Ivr(language, program, folder, stack)
        steps = [
            bot.prompts_are_heard,
            bot.a_key_steers_and_cuts_the_menu_short,
            bot.a_message_is_recorded_and_kept,
            bot.strangers_are_refused,
        ]
        run += [(f"{language}: {name}", step) for name, step in part.named(steps)]
    return run


if __name__ == "__main__":
    part.main(cases)
