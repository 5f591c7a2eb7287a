"""A client library as the cases see it: a verb in Graph's words goes in, what the library made of the answer comes out.

Libraries for Python are driven in this process; those for other languages by a small program of theirs, which is told
verbs on its standard input and replies on its standard output, one JSON object a line (acceptance/node, rust-client).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kit import check
from kit.processes import Ends, Talking

Json = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """What an error of the library's own class for Graph's errors says."""

    status: int
    code: str
    message: str


@dataclass(frozen=True)
class Reply:
    """What a program that uses the library gets: a value (`None` for an empty answer) or an error."""

    value: Any = None
    refusal: Refusal | None = None


class Library(Protocol):
    """A client library, pointed at the server."""

    name: str
    version: str
    """Of the API that it speaks: `v1.0` or `beta`."""

    def offers(self, verb: str) -> bool:
        """Whether a program can do this with it at all."""

    def ask(self, verb: str, call: str = "", member: str = "", body: Json | None = None) -> Reply:
        """Does it. `member` is the id of an operation or participant of the call."""


class SpokenTo(Ends):
    """A library of another language. Its program's first line says who it is: `name`, `version`, `verbs`."""

    def __init__(self, words: Sequence[str | Path], folder: Path, setting: Json, env: dict[str, str]) -> None:
        """`setting` is the first line that it is told: where the server is, and who the bot is."""
        self._program = Talking(words, folder / "library.log", env=env)
        try:
            self._program.say(json.dumps(setting))
            hello = json.loads(self._program.line())
        except BaseException:
            self._program.end(2.0)
            raise
        self.name = str(hello["name"])
        self.version = str(hello["version"])
        self._verbs = frozenset(hello["verbs"])

    def close(self, failed: bool) -> None:
        self._program.end(5.0)

    def offers(self, verb: str) -> bool:
        return verb in self._verbs

    def ask(self, verb: str, call: str = "", member: str = "", body: Json | None = None) -> Reply:
        self._program.say(json.dumps({"verb": verb, "call": call, "member": member, "body": body}))
        reply = json.loads(self._program.line())
        check.that("broken" not in reply, f"{self.name}, {verb}: {reply.get('broken')}")
        if "refusal" in reply:
            return Reply(refusal=Refusal(**reply["refusal"]))
        return Reply(reply["value"])
