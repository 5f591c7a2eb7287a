"""SIPp as telephones and as the telephone network: registration, calls both ways, either side hanging up, load."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kit import check, part
from kit.bot import Bot
from kit.door import Door
from kit.graph import Graph
from kit.operations import Ledger
from kit.processes import free_port
from kit.server import BOT_NUMBER, TRUNK_PREFIX, Phone, Server, World
from kit.sipp import Sipp, register

LOAD_CALLS = 100
LOAD_RATE = 20
"""Calls a second."""

TONES = ["tone7", "star", "tone0", "pound"]
"""The keys of call_digits.xml but the last, whose end SIPp does not send."""


class Suite:
    """One server for all cases. The bot answers by itself only where a case says so."""

    def __init__(self, program: Path, folder: Path, stack: ExitStack) -> None:
        self.program = program
        self.folder = folder
        self.trunk = free_port()
        self.bot = stack.enter_context(Bot())
        self.world = World(self.bot.callback, trunk=f"127.0.0.1:{self.trunk}")
        self.server = stack.enter_context(Server(program, folder, self.world))
        self.graph = Graph(self.server)
        self.phone, self.other = self.world.phones

    def calling(self, scenario: str, phone: Phone | None = None, **how: Any) -> Sipp:
        """A registered user's phone that calls the bot."""
        return Sipp(self.folder, scenario, self.server, phone=phone or self.phone, dials=BOT_NUMBER, **how)

    def answer_next(self, before: int) -> str:
        """Answers the call that comes in after `before` notices, and waits until it is up."""
        call = str(self.bot.wait_incoming(before).data["id"])
        self.graph.answer(call, self.bot.callback)
        self.bot.wait_ready(call)
        return call

    def ended(self, call: str, code: int) -> None:
        check.same(Ledger(self.bot, call).closed()["code"], code, "the call's result")

    def a_phone_registers(self) -> None:
        register(self.folder, self.server, self.phone, free_port())

    def a_wrong_password_and_an_unknown_user_are_refused_alike(self) -> None:
        for phone in (Phone(self.phone.name, "wrong"), Phone("7777", "wrong")):
            with Sipp(self.folder, "register_refused", self.server, phone=phone) as sipp:
                sipp.finish()

    def a_caller_hangs_up(self) -> None:
        before = len(self.bot.journal)
        with self.calling("call", holds=800) as sipp:
            call = self.answer_next(before)
            sipp.finish()
        self.ended(call, 200)

    def a_bot_hangs_up(self) -> None:
        before = len(self.bot.journal)
        with self.calling("call_until_bye") as sipp:
            call = self.answer_next(before)
            self.graph.hang_up(call)
            sipp.finish()
        self.ended(call, 200)

    def a_caller_gives_up(self) -> None:
        before = len(self.bot.journal)
        with self.calling("call_cancel") as sipp:
            call = str(self.bot.wait_incoming(before).data["id"])
            sipp.finish()
        Ledger(self.bot, call).closed()

    def by_tcp_either_side_hangs_up(self) -> None:
        for scenario in ("call", "call_until_bye"):
            before = len(self.bot.journal)
            with self.calling(scenario, transport="tcp") as sipp:
                call = self.answer_next(before)
                if scenario == "call_until_bye":
                    self.graph.hang_up(call)
                sipp.finish()
            self.ended(call, 200)

    def a_session_is_timed_and_a_key_comes_by_info(self) -> None:
        for transport in ("udp", "tcp"):
            before = len(self.bot.journal)
            with self.calling("call_timed", transport=transport, holds=800) as sipp:
                call = self.answer_next(before)
                sipp.finish()
            self.ended(call, 200)

    def the_telephone_network_asks_who_calls(self) -> None:
        with Sipp(self.folder, "asks_and_answers", self.server, port=self.trunk) as sipp:
            call = self.graph.call_number(f"{TRUNK_PREFIX}0123", self.bot.callback)
            self.bot.wait_ready(call)
            self.graph.hang_up(call)
            sipp.finish()
        self.ended(call, 200)

    def the_telephone_network_calls(self) -> None:
        before = len(self.bot.journal)
        how: dict[str, Any] = {"port": self.trunk, "dials": BOT_NUMBER, "caller": "+15550199", "holds": 500}
        with Sipp(self.folder, "trunk_call", self.server, **how) as sipp:
            call = self.answer_next(before)
            sipp.finish()
        self.ended(call, 200)

    def the_telephone_network_knows_of_a_start_and_of_a_stop(self) -> None:
        """RFC 3261 §10.2.2. A server of its own, since this one goes on."""
        port, folder = free_port(), self.folder / "registered"
        world = World(self.bot.callback, trunk=f"127.0.0.1:{port}", at_trunk=True)
        with Sipp(self.folder, "registrar", self.server, port=port) as sipp:
            with Server(self.program, folder, world):
                door = Door(folder / "data")
                check.soon(lambda: door.ask("GET", "status")["trunks"][0]["registered"], "registered at the trunk")
            sipp.finish()

    def a_phone_is_called_and_either_side_hangs_up(self) -> None:
        for scenario in ("answer_until_bye", "answer_and_hang_up"):
            port = free_port()
            register(self.folder, self.server, self.phone, port)
            with Sipp(self.folder, scenario, self.server, port=port) as sipp:
                call = self.graph.call_user(self.phone.id, self.bot.callback)
                self.bot.wait_ready(call)
                if scenario == "answer_until_bye":
                    self.graph.hang_up(call)
                sipp.finish()
            self.ended(call, 200)

    def a_phone_presses_keys(self) -> None:
        if os.geteuid() != 0:
            print("      left out: SIPp sends keys through a raw socket, which only root may open")
            return
        before = len(self.bot.journal)
        with self.calling("call_digits") as sipp:
            call = self.answer_next(before)
            self.graph.subscribe_to_tone(call)
            sipp.finish()
        self.ended(call, 200)
        check.same(self.bot.tones(call)[: len(TONES)], TONES, "the keys")
        numbers = [notice.data["toneInfo"]["sequenceId"] for notice in self.bot.so_far(call) if notice.tone]
        check.same(numbers, sorted(set(numbers)), "their numbers rise")

    def many_call_at_once(self) -> None:
        self.many_call("udp")

    def many_call_at_once_by_one_connection(self) -> None:
        self.many_call("tcp")

    def many_call(self, transport: str) -> None:
        """100 calls, 20 a second, each answered by the bot, held for a while and ended by the caller."""
        before = len(self.bot.journal)
        self.bot.on_incoming = lambda call: self.graph.answer(call, self.bot.callback)
        try:
            how = {"calls": LOAD_CALLS, "rate": LOAD_RATE, "holds": 2000, "transport": transport}
            with self.calling("call", self.other, **how) as sipp:
                sipp.finish()
        finally:
            self.bot.on_incoming = None
        calls = [str(notice.data["id"]) for notice in self.bot.journal[before:] if notice.state == "incoming"]
        check.same(len(set(calls)), LOAD_CALLS, "calls that the bot was told of")
        for call in calls:
            self.ended(call, 200)

    def nothing_is_left(self) -> None:
        left = self.graph.ask("GET", "/v1.0/communications/calls").json["value"]
        check.same(left, [], "calls left")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    suite = Suite(program, folder, stack)
    run = [
        suite.a_phone_registers,
        suite.a_wrong_password_and_an_unknown_user_are_refused_alike,
        suite.a_caller_hangs_up,
        suite.a_bot_hangs_up,
        suite.a_caller_gives_up,
        suite.by_tcp_either_side_hangs_up,
        suite.a_session_is_timed_and_a_key_comes_by_info,
        suite.the_telephone_network_calls,
        suite.the_telephone_network_asks_who_calls,
        suite.the_telephone_network_knows_of_a_start_and_of_a_stop,
        suite.a_phone_is_called_and_either_side_hangs_up,
        suite.a_phone_presses_keys,
        suite.many_call_at_once,
        suite.many_call_at_once_by_one_connection,
        suite.nothing_is_left,
    ]
    return part.named(run)


if __name__ == "__main__":
    part.main(cases)
