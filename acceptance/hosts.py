"""Bots that know Microsoft's hosts by heart, each on another HTTP client and none of them edited: `ringback run` leads
them here. They run where the only way out is one at whose end packets are counted: none may arrive.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from kit import check, part
from kit.sinkhole import Sinkhole

HERE = Path(__file__).resolve().parent
PYTHON, NODE = HERE / "hosts", HERE / "node" / "hosts"

DEVELOPMENT = {
    "TENANT_ID": "0a0a0a0a-0000-4000-8000-000000000001",
    "CLIENT_ID": "0a0a0a0a-0000-4000-8000-0000000000b0",
    "CLIENT_SECRET": "ringback-development-secret",
    "CALLED_USER": "0a0a0a0a-0000-4000-8000-000000009000",
}
"""The identities that are published for development: the test line answers at once."""

WITHIN = 60
"""Seconds that one bot may take; the server is started for it, and stopped after it."""

CALL = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def bots() -> list[tuple[str, list[str | Path]]]:
    """What they are called, and their commands."""
    python = [
        (program.stem.removeprefix("with_").replace("_", "."), [sys.executable, program])
        for program in sorted(PYTHON.glob("with_*.py"))
    ]
    node = [(f"node {program.stem}", ["node", program]) for program in sorted(NODE.glob("*.mjs"))]
    named = [bot for bot in python + node if bot[0] != "node setting"]
    return [*named, ("curl", [PYTHON / "with_curl.sh"])]


class Hosts:
    """`ringback run`, with a data folder of its own, in a namespace if there is one."""

    def __init__(self, program: Path, folder: Path, sinkhole: Sinkhole | None) -> None:
        self.program = program
        self.folder = folder
        self.sinkhole = sinkhole

    def run(self, words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Runs a program where nothing leads out, with the environment that a bot has."""
        within = self.sinkhole.within(words) if self.sinkhole else [str(word) for word in words]
        environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        return subprocess.run(
            within, capture_output=True, text=True, timeout=WITHIN, env=environment | DEVELOPMENT, check=False
        )

    def arrived(self) -> int:
        return self.sinkhole.arrived() if self.sinkhole else 0

    def led_here(self, command: Sequence[str | Path]) -> None:
        """The bot gets its token and makes its call here, and nothing goes out."""
        before = self.arrived()
        ended = self.run([self.program, "run", "--data", self.folder / "data", "--", *command])
        said = f"it said:\n{ended.stdout}{ended.stderr}"
        check.same(ended.returncode, 0, f"the bot's exit status ({said})")
        check.that(CALL.match(ended.stdout.strip()), f"no call was made; {said}")
        check.same(self.arrived() - before, 0, f"packets that went out ({said})")

    def refused(self) -> None:
        """What is Microsoft's and not stood in for is refused by proxy and hooks, before anything is sent."""
        before = self.arrived()
        url = "https://login.windows.net/common"
        requests = f"import urllib.request; urllib.request.urlopen('{url}', timeout=9)"
        bare = "import http.client; http.client.HTTPSConnection('a.skype.com', timeout=9).request('GET', '/')"
        fetch = f"fetch('{url}').catch(({{ cause }}) => {{ console.error(cause); process.exit(3); }})"
        for command in (
            [sys.executable, "-c", requests],
            [sys.executable, "-c", bare],
            ["node", "-e", fetch],
            ["curl", "--max-time", "9", "--silent", "--show-error", url],
        ):
            ended = self.run([self.program, "run", "--data", self.folder / "data", "--", *command])
            check.that(ended.returncode != 0, f"{command[0]} was let through: {ended.stdout}")
            check.that("is Microsoft's" in ended.stderr, f"{command[0]} was not told why: {ended.stderr}")
        check.same(self.arrived() - before, 0, "packets that went out")

    def counts(self) -> None:
        """The count is one: the same bots, started without `ringback run`, ask for Microsoft's addresses."""
        for name, command in bots():
            if name not in ("urllib", "node fetch", "curl"):
                continue
            before = self.arrived()
            ended = self.run(["timeout", "10", *command])
            check.that(ended.returncode != 0, f"{name} got an answer from somewhere: {ended.stdout}")
            check.that(self.arrived() > before, f"nothing of {name} was counted")

    def nothing_is_left(self) -> None:
        """What run writes for a bot goes with it."""
        left = list((self.folder / "data" / "run").iterdir())
        check.same(left, [], "what is left in the data folder")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    missing = Sinkhole.missing()
    sinkhole = None if missing else stack.enter_context(Sinkhole())
    hosts = Hosts(program, folder, sinkhole)

    def led(command: Sequence[str | Path]) -> Callable[[], None]:
        return lambda: hosts.led_here(command)

    found: list[part.Case] = [(f"{name} is led here", led(command)) for name, command in bots()]
    if sinkhole:
        found += [("others of Microsoft's are refused", hosts.refused), ("the sinkhole counts", hosts.counts)]
    else:
        print(f"      left out: what goes out is counted in a network namespace of its own: {missing}")
    return [*found, ("nothing is left", hosts.nothing_is_left)]


if __name__ == "__main__":
    part.main(cases)
