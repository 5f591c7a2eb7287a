"""baresip, a real softphone: what it hears is compared with what the bot played, at 2 % packet loss too."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from kit import check, part
from kit.baresip import Baresip
from kit.relay import LossyRelay
from kit.softphone import Softphones

LOSS = 0.02


class Suite(Softphones):
    """What baresip goes through."""

    def phone(self, name: str, **how: Any) -> Baresip:
        return Baresip(self.folder / name, self.world.phones[0], self.server.sip, **how)

    def it_hangs_up(self) -> None:
        with self.phone("hangs-up") as phone:
            phone.wait_registered()
            call = self.incoming(phone)
            phone.hang_up()
            phone.wait_closed()
            self.ended_well(call)

    def it_hears_through_a_wire_that_loses_packets(self) -> None:
        with closing(LossyRelay(self.server.sip, LOSS, self.seed)) as relay:
            self.it_calls_and_hears_the_prompt_and_presses_keys("loses", through=relay.port)
            print(f"      {relay.dropped} of {relay.passed + relay.dropped} packets lost")
            check.that(relay.dropped > 0, "the wire lost something")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    suite = Suite(program, folder, stack)
    run = [
        suite.it_calls_and_hears_the_prompt_and_presses_keys,
        suite.it_hangs_up,
        suite.it_is_called_and_hangs_up,
        suite.what_it_says_can_be_recorded,
        suite.it_hears_through_a_wire_that_loses_packets,
    ]
    return part.named(run)


if __name__ == "__main__":
    part.main(cases)
