"""Linphone, a softphone of another family: prompts heard, keys, hold, and either side hanging up."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kit import audio, certificates, check, part
from kit.hearing import KEYS
from kit.linphone import Linphone
from kit.softphone import Softphones

WIDE_RATE = 16_000
"""Samples a second of G.722."""


class Suite(Softphones):
    """What linphone goes through."""

    def phone(self, name: str, **how: Any) -> Linphone:
        return Linphone(self.folder / name, self.world.phones[0], self.server, **how)

    def audio_is(self, call: str, state: str) -> None:
        """The bot is told that the call's audio is now so."""

        def latest() -> str:
            told = [n.data.get("mediaState") for n in self.bot.so_far(call) if n.state == "established"]
            return str([media for media in told if media][-1]["audio"])

        self.bot.wait(f"audio is {state}", lambda _: latest() == state)

    def it_lets_the_call_ring_and_answers(self) -> None:
        with self.phone("answers") as phone:
            phone.wait_registered()
            call = self.graph.call_user(self.world.phones[0].id, self.bot.callback)
            phone.wait_ringing()
            phone.answer()
            phone.wait_established()
            self.bot.wait_ready(call)
            self.graph.hang_up(call)
            phone.wait_closed()
        self.ended_well(call)

    def over(self, transport: str) -> None:
        """It calls and is called, and each side hangs up once."""
        with self.phone(f"calls-{transport}", transport=transport) as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            phone.hang_up()
            phone.wait_closed()
            self.ended_well(call)
        with self.phone(f"is-called-{transport}", transport=transport, answers=True) as phone:
            phone.wait_registered()
            call = self.outgoing(phone)
            self.graph.hang_up(call)
            phone.wait_closed()
            self.ended_well(call)

    def it_calls_and_is_called_over_tcp(self) -> None:
        self.over("tcp")

    def it_calls_and_is_called_over_tls(self) -> None:
        self.over("tls")

    def presses(self, keys: str) -> None:
        """It presses keys, which reach the bot this way."""
        with self.phone(f"keys-{keys}", keys=keys) as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            self.graph.subscribe_to_tone(call)
            phone.press(KEYS)
            self.keys_are_told(call)
            phone.hang_up()
            phone.wait_closed()
        self.ended_well(call)

    def it_presses_keys_by_sip_info(self) -> None:
        self.presses("info")

    def it_presses_keys_in_the_audio(self) -> None:
        self.presses("audio")

    def it_hears_a_wide_band_in_g722(self) -> None:
        with self.phone("wide", codec="G722") as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            played = self.play(call, audio.WIDE_BAND)
            self.graph.hang_up(call)
            phone.wait_closed()
            heard, rate = phone.heard()
            check.that(rate >= WIDE_RATE, f"it heard {rate} samples a second, not {WIDE_RATE}")
            self.compare(heard, rate, played)
        self.ended_well(call)

    def it_holds_the_call_and_takes_it_up_again(self) -> None:
        with self.phone("holds") as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            phone.hold()
            self.audio_is(call, "inactive")
            phone.resume()
            self.audio_is(call, "active")
            played = self.play(call)
            phone.hang_up()
            phone.wait_closed()
            self.compare(*phone.heard(), played)
        self.ended_well(call)


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    # Its TLS library reads no authority with name constraints, which the server's own has.
    suite = Suite(program, folder, stack, certificates.make(folder))
    run = [
        suite.it_calls_and_hears_the_prompt_and_presses_keys,
        suite.it_is_called_and_hangs_up,
        suite.it_presses_keys_by_sip_info,
        suite.it_presses_keys_in_the_audio,
        suite.what_it_says_can_be_recorded,
        suite.it_hears_a_wide_band_in_g722,
        suite.it_lets_the_call_ring_and_answers,
        suite.it_calls_and_is_called_over_tcp,
        suite.it_calls_and_is_called_over_tls,
        suite.it_holds_the_call_and_takes_it_up_again,
    ]
    return part.named(run)


if __name__ == "__main__":
    part.main(cases)
