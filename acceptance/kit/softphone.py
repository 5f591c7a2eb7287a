"""What every softphone goes through, whoever wrote it: prompts are heard, keys come back, what it says is recorded."""

from __future__ import annotations

from typing import Any

from kit.baresip import Baresip
from kit.hearing import KEYS, Hearing
from kit.linphone import Linphone
from kit.server import BOT_NUMBER

RATE = 8000
"""Samples a second of G.711."""


class Softphones(Hearing):
    """The cases; a part says how its phone is started, which is the first user's."""

    def phone(self, name: str, **how: Any) -> Baresip | Linphone:
        raise NotImplementedError

    def incoming(self, phone: Baresip | Linphone) -> str:
        """The phone calls the bot, which answers; gives the call's id."""
        before = len(self.bot.journal)
        phone.dial(BOT_NUMBER)
        call = self.answer_next(before)
        phone.wait_established()
        self.bot.wait_ready(call)
        return call

    def outgoing(self, phone: Baresip | Linphone) -> str:
        """The bot calls the phone, which answers by itself; gives the call's id."""
        call = self.graph.call_user(self.world.phones[0].id, self.bot.callback)
        phone.wait_established()
        self.bot.wait_ready(call)
        return call

    def it_calls_and_hears_the_prompt_and_presses_keys(self, name: str = "calls", **how: Any) -> None:
        with self.phone(name, **how) as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            self.graph.subscribe_to_tone(call)
            played = self.play(call)
            phone.press(KEYS)
            self.keys_are_told(call)
            self.graph.hang_up(call)
            phone.wait_closed()
            self.compare(*phone.heard(), played)
        self.ended_well(call)

    def it_is_called_and_hangs_up(self) -> None:
        with self.phone("is-called", answers=True) as phone:
            phone.wait_registered()
            call = self.outgoing(phone)
            played = self.play(call)
            phone.hang_up()
            self.ended_well(call)
            phone.wait_closed()
            self.compare(*phone.heard(), played)

    def what_it_says_can_be_recorded(self) -> None:
        says = self.says(RATE)
        with self.phone("says", says=says) as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            self.what_it_says_is_recorded(call, says, RATE)
            phone.hang_up()
            phone.wait_closed()
        self.ended_well(call)
