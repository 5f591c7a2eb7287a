"""Calls that are made to happen: the fixture for pytest and the helper for Node in examples/testing, as their users run
them, against a small bot; what the command line prints; and notifications that go wrong on purpose."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from kit import bot, check, graph, part
from kit.ivr import EXAMPLES
from kit.processes import run
from kit.server import BOT_NUMBER, Server, World

STARTED = """
def test_a_server_of_its_own(ringback, phone):
    assert ringback.ready["ready"]
    phone.call("4711")
"""
"""A test that has a server started for it, and calls where nobody is."""

LEAVING = """
import json

def test_fails(phones, fault):
    gone, phone = phones(), phones()
    gone.put_away()
    phone.call("NUMBER").hang_up()
    fault("drop", next=1000, app="nobody's")
    phone.is_hung_up()

def test_nothing_is_left(ringback):
    for what in ("phones", "faults"):
        assert json.loads(ringback.ask("GET", f"test/{what}"))["value"] == []
"""
"""A test that fails, and one that must not see what it made."""

LEAVING_IN_NODE = """
import assert from "node:assert/strict";
import { test } from "node:test";
import { ringback } from "HELPER";

test("fails", async (t) => {
  const server = await ringback();
  const [gone, phone] = [server.phone(t), server.phone(t)];
  await gone.putAway();
  await phone.call("NUMBER").hangUp();
  await server.fault(t, "drop", { next: 1000, app: "nobody's" });
  await phone.isHungUp();
});

test("nothing is left", async () => {
  const server = await ringback();
  for (const what of ["phones", "faults"]) {
    assert.deepEqual(JSON.parse(await server.ask("GET", `test/${what}`)).value, []);
  }
});
"""
"""The same for Node."""


class Ivr:
    """The example bots' menu: 1 the opening hours, 2 the address, then goodbye."""

    def __init__(self, server: Server, told: bot.Bot) -> None:
        self._graph = graph.Graph(server)
        self._bot = told
        told.on_incoming = self.serve

    def serve(self, call: str) -> None:
        """One call, from its answer to its end; a caller who hangs up early ends it too."""
        self._graph.answer(call, self._bot.callback)
        self._bot.wait_ready(call)
        self._graph.subscribe_to_tone(call)
        self._play(call, "menu")

        def key_or_end(notice: bot.Notice) -> bool:
            return notice.resource == call and (notice.tone is not None or notice.state == "terminated")

        tone = self._bot.wait("a key, or the end", key_or_end).tone
        self._graph.cancel(call)
        self._play(call, {"tone1": "hours"}.get(str(tone), "address"))
        self._bot.wait_operation(call, self._play(call, "bye"))
        self._graph.hang_up(call)

    def _play(self, call: str, name: str) -> str:
        return self._graph.play(call, self._bot.prompt(name, prompt(name).read_bytes()))


def prompt(name: str) -> Path:
    return EXAMPLES / "prompts" / f"{name}.wav"


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    os.environ.pop("PYTEST_ADDOPTS", None)
    told = stack.enter_context(bot.Bot())
    server = stack.enter_context(Server(program, folder / "server", World(told.callback)))
    Ivr(server, told)
    here = {"RINGBACK_DATA": str(server.data)}
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

    def ringback(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return run([program, *words, "--data", server.data])

    def the_example_tests_for_pytest_pass() -> None:
        done = run([*pytest, EXAMPLES / "testing"], env=here | {"RINGBACK_BOT": BOT_NUMBER})
        check.that(done.returncode == 0 and "3 passed" in done.stdout, f"pytest:\n{done.stdout}{done.stderr}")

    def the_example_tests_for_node_pass() -> None:
        node = shutil.which("node")
        check.that(node, "node is not installed")
        words = [str(node), "--test", EXAMPLES / "testing" / "ivr.test.mjs"]
        done = run(words, env=here | {"RINGBACK_BOT": BOT_NUMBER})
        check.that(done.returncode == 0 and "pass 3" in done.stdout, f"node --test:\n{done.stdout}{done.stderr}")

    def a_test_that_fails_says_why_and_what_happened() -> None:
        tests = folder / "failing"
        tests.mkdir()
        (tests / "conftest.py").write_text('pytest_plugins = ["ringback_testing"]\n')
        wav = prompt("address")
        menu = f"phone.call({BOT_NUMBER!r}).hears({str(prompt('menu'))!r})"
        steps = f"{menu}.press('1').hears({str(wav)!r}, within=3)"
        (tests / "test_it.py").write_text(f"def test_it(phone):\n    {steps}\n")
        done = run([*pytest, tests], env=here | {"PYTHONPATH": str(EXAMPLES / "testing")})
        check.same(done.returncode, 1, f"pytest's exit status:\n{done.stdout}{done.stderr}")
        for words in (f"hears {wav}: heard ", " of sound in ", "; 0.80 is wanted", "playPrompt completed 200/0"):
            check.that(words in done.stdout, f"{words!r} is not in what pytest says:\n{done.stdout}")

    def what_a_test_made_ends_with_it() -> None:
        tests = folder / "leaving"
        tests.mkdir()
        (tests / "conftest.py").write_text('pytest_plugins = ["ringback_testing"]\n')
        (tests / "test_it.py").write_text(LEAVING.replace("NUMBER", BOT_NUMBER))
        in_node = tests / "it.test.mjs"
        helper = (EXAMPLES / "testing" / "ringback-testing.mjs").as_uri()
        in_node.write_text(LEAVING_IN_NODE.replace("NUMBER", BOT_NUMBER).replace("HELPER", helper))
        for words, env, counts in (
            ([*pytest, tests], {"PYTHONPATH": str(EXAMPLES / "testing")}, ("1 failed, 1 passed in",)),
            (["node", "--test", in_node], {}, ("pass 1\n", "fail 1\n")),
        ):
            done = run(words, env=here | env)
            reason = "is hung up: by the phone, not by the bot"
            for said in (*counts, reason, "what happened in the call:"):
                check.that(said in done.stdout, f"{said!r} is not in what is said:\n{done.stdout}{done.stderr}")

    def without_a_server_the_fixture_starts_one_and_ends_it() -> None:
        tests = folder / "started"
        tests.mkdir()
        (tests / "conftest.py").write_text('pytest_plugins = ["ringback_testing"]\n')
        (tests / "test_it.py").write_text(STARTED)
        done = run([*pytest, tests], env={"PYTHONPATH": str(EXAMPLES / "testing"), "RINGBACK": str(program)})
        check.same(done.returncode, 1, f"pytest's exit status:\n{done.stdout}{done.stderr}")
        check.that("is answered: neither a bot nor a meeting is at that number" in done.stdout, f"pytest says:\n{done.stdout}{done.stderr}")

    # The bot hears keys once it has subscribed to them, which it does before its menu.
    press_one: list[str | Path] = ["--expect", prompt("menu"), "--press", "1"]

    def the_command_line_calls_and_judges() -> None:
        done = ringback("phone", "call", BOT_NUMBER, *press_one, "--expect", prompt("hours"))
        check.same(done.returncode, 0, f"exit status:\n{done.stdout}{done.stderr}")
        done = ringback("phone", "call", BOT_NUMBER, *press_one, "--within", "3", "--expect", prompt("address"))
        check.same(done.returncode, 1, f"exit status of what is not heard:\n{done.stdout}{done.stderr}")
        check.that("at best 0." in done.stderr, f"the reason: {done.stderr}")

    def an_incoming_call_is_triggered_and_told_again() -> None:
        done = ringback("trigger", "incoming", "--from", "+15550123", "--for", "1")
        check.same(done.returncode, 0, f"exit status:\n{done.stdout}{done.stderr}")
        call = next(line.removeprefix("call ") for line in done.stdout.splitlines() if line.startswith("call "))
        first = told.so_far(call)[0]
        check.same(first.data["source"]["identity"]["phone"]["id"], "+15550123", "who calls")
        told.wait_state(call, "terminated")
        before = len(told.so_far(call))
        done = ringback("notification", "resend", call)
        check.same(done.returncode, 0, f"exit status:\n{done.stdout}{done.stderr}")
        *earlier, again = told.so_far(call)
        check.same(len(earlier), before, "notifications told before")
        name = "x-microsoft-skype-message-id"
        same = [notice for notice in earlier if notice.headers[name] == again.headers[name]]
        check.that(
            same and same[-1].envelope == again.envelope, "it has the message id and the body of one told before"
        )

    def notifications_are_doubled_on_purpose() -> None:
        server.door.ask("POST", "test/faults", {"fault": "duplicate", "next": 3})
        done = ringback("phone", "call", BOT_NUMBER, *press_one, "--expect", prompt("hours"))
        check.same(done.returncode, 0, f"exit status:\n{done.stdout}{done.stderr}")
        call = str(next(n for n in reversed(told.journal) if n.state == "incoming").data["id"])
        ids = [notice.headers["x-microsoft-skype-message-id"] for notice in told.so_far(call)]
        doubled = [one for one in dict.fromkeys(ids) if ids.count(one) == 2]
        check.same(len(doubled), 3, f"notifications that came twice, of {len(ids)}")

    return part.named(
        [
            the_example_tests_for_pytest_pass,
            the_example_tests_for_node_pass,
            a_test_that_fails_says_why_and_what_happened,
            what_a_test_made_ends_with_it,
            without_a_server_the_fixture_starts_one_and_ends_it,
            the_command_line_calls_and_judges,
            an_incoming_call_is_triggered_and_told_again,
            notifications_are_doubled_on_purpose,
        ]
    )


if __name__ == "__main__":
    part.main(cases)
