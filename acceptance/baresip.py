"""baresip, a real softphone: what it hears is compared with what the bot played, at 2 % packet loss too."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kit import audio, check, part
from kit.baresip import RATE, Baresip
from kit.hearing import KEYS, Hearing
from kit.relay import LossyRelay
from kit.server import BOT_NUMBER

LOSS = 0.02


class Suite(Hearing):
    """What baresip goes through."""

    def phone(self, name: str, *, answers: bool = False, **how: Any) -> Baresip:
        return Baresip(self.folder / name, self.world.phones[0], self.server.sip, answers=answers, **how)

    def incoming(self, phone: Baresip) -> str:
        """The phone calls the bot, which answers; gives the call's id."""
        before = len(self.bot.journal)
        phone.dial(BOT_NUMBER)
        call = self.answer_next(before)
        phone.wait("CALL_ESTABLISHED")
        self.bot.wait_ready(call)
        return call

    def it_heard(self, phone: Baresip, played: audio.Sound) -> None:
        self.compare(phone.heard(), RATE, played)

    def it_calls_and_hears_the_prompt_and_presses_keys(self) -> None:
        with self.phone("calls") as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            self.graph.subscribe_to_tone(call)
            played = self.play(call)
            phone.press(KEYS)
            self.keys_are_told(call)
            self.graph.hang_up(call)
            phone.wait("CALL_CLOSED")
            self.it_heard(phone, played)
        self.ended_well(call)

    def it_hangs_up(self) -> None:
        with self.phone("hangs-up") as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            phone.hang_up()
            phone.wait("CALL_CLOSED")
            self.ended_well(call)

    def it_is_called(self) -> None:
        with self.phone("is-called", answers=True) as phone:
            phone.wait_registered()
            call = self.graph.call_user(self.world.phones[0].id, self.bot.callback)
            phone.wait("CALL_ESTABLISHED")
            self.bot.wait_ready(call)
            played = self.play(call)
            phone.hang_up()
            self.ended_well(call)
            phone.wait("CALL_CLOSED")
            self.it_heard(phone, played)

    def what_it_says_can_be_recorded(self) -> None:
        says = self.says(RATE)
        with self.phone("says", says=says) as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            self.what_it_says_is_recorded(call, says, RATE)
            self.graph.hang_up(call)
            phone.wait("CALL_CLOSED")
        self.ended_well(call)

    def it_hears_through_a_wire_that_loses_packets(self) -> None:
        relay = LossyRelay(self.server.sip, LOSS, self.seed)
        try:
            with self.phone("loses", through=relay.port) as phone:
                phone.wait_registered()
                call = self.incoming(phone)
                self.graph.subscribe_to_tone(call)
                played = self.play(call)
                phone.press(KEYS)
                self.keys_are_told(call)
                self.graph.hang_up(call)
                phone.wait("CALL_CLOSED")
                print(f"      {relay.dropped} of {relay.passed + relay.dropped} packets lost")
                check.that(relay.dropped > 0, "the wire lost something")
                self.it_heard(phone, played)
        finally:
            relay.close()
        self.ended_well(call)


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    suite = Suite(program, folder, stack)
    run = [
        suite.it_calls_and_hears_the_prompt_and_presses_keys,
        suite.it_hangs_up,
        suite.it_is_called,
        suite.what_it_says_can_be_recorded,
        suite.it_hears_through_a_wire_that_loses_packets,
    ]
    return part.named(run)


if __name__ == "__main__":
    part.main(cases)
