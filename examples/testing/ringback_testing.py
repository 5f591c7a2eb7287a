"""Tests of a calling bot by telephone, with Ringback and pytest. One file, to be copied; the standard library alone.

    # conftest.py
    pytest_plugins = ["ringback_testing"]

    # test_bot.py
    def test_menu(phone):
        phone.call("5000").hears("menu.wav").press("12#").hears("bye.wav")

The server is the one whose data folder `RINGBACK_DATA` names, or one that is started for the tests: the program that
`RINGBACK` names, else `ringback` on the path, with a data folder and ports of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

ANSWER_WITHIN = 30.0
"""Seconds in which a bot must have answered."""


class NotSo(AssertionError):
    """The call did not go as the test says. The text says what was found instead, and what happened in the call."""


class Ringback:
    """A server, through its operator's door."""

    def __init__(self, url: str, token: str, ready: dict[str, Any] | None = None) -> None:
        self.url = url.rstrip("/")
        self.ready = ready or {}
        """What `serve --json` said, if it was started here: addresses, and the development identities."""
        self._token = token
        # A proxy that leads Microsoft's hosts here is not for this door.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @staticmethod
    def at(data: Path) -> Ringback:
        """The running server of a data folder."""
        return Ringback((data / "http.url").read_text().strip(), (data / "operator.token").read_text().strip())

    def ask(self, method: str, path: str, body: bytes | dict[str, Any] | None = None) -> bytes:
        """A request to `/_ringback/…`; a refusal is an error with the server's words, but to delete what is gone."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"{self.url}/_ringback/{path}", data, headers, method=method)
        try:
            with self._opener.open(request, timeout=180) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as refused:
            if method == "DELETE" and refused.code == 404:
                return b""
            text = refused.read().decode(errors="replace")
            try:
                text = json.loads(text)["error"]["message"]
            except (ValueError, KeyError, TypeError):
                pass
            raise RuntimeError(f"{method} {path}: {refused.code}: {text}") from None

    def webhook(self, app: str, url: str) -> None:
        """Where an app is told of incoming calls, on a server that takes any app (development)."""
        self.ask("PUT", f"apps/{urllib.parse.quote(app, safe='')}", {"webhook": url})


class Phone:
    """A phone of the server. Each step waits until it is done, and says what is wrong if it is not as it should be; pytest
    shows the test's own line (`__tracebackhide__`)."""

    def __init__(self, ringback: Ringback, **how: Any) -> None:
        """`number=`, `called=` (`answer`, `ring`, `busy`, `decline`) and `codec=` (`PCMU`, `PCMA`, `G722`)."""
        self._ringback = ringback
        made = json.loads(ringback.ask("POST", "test/phones", how))
        self.number: str = made["number"]
        self._path = f"test/phones/{made['id']}"

    def call(self, bot: object, within: float = ANSWER_WITHIN) -> Phone:
        """Calls a bot: a number, an app's id, or anything with a `number`; waits until it answers."""
        __tracebackhide__ = True
        to = str(getattr(bot, "number", bot))
        self._step("call", {"to": to}, f"call {to}")
        return self.answered(within)

    def answered(self, within: float = ANSWER_WITHIN) -> Phone:
        """Waits until the call is up: the bot's that called this phone, too."""
        __tracebackhide__ = True
        return self._step("wait", {"for": "answered", "within": within}, "is answered")

    def rings(self, within: float = 10.0) -> Phone:
        """Waits until the phone rings; for one made with `called="ring"`."""
        __tracebackhide__ = True
        return self._step("wait", {"for": "ringing", "within": within}, "rings")

    def answer(self) -> Phone:
        """Answers the call that rings."""
        __tracebackhide__ = True
        return self._step("answer", b"", "answer")

    def press(self, keys: str) -> Phone:
        """Presses keys: `0`-`9` `*` `#` `A`-`D`."""
        __tracebackhide__ = True
        return self._step("press", {"keys": keys}, f"press {keys}")

    def says(self, wav: str | Path) -> Phone:
        """Says a WAV file (mono, 16 bits)."""
        __tracebackhide__ = True
        return self._step("say", Path(wav).read_bytes(), f"says {wav}")

    def hears(self, wav: str | Path, within: float = 10.0, likeness: float = 0.8) -> Phone:
        """The bot plays this WAV file, after what was heard before."""
        __tracebackhide__ = True
        step = f"expect?within={within}&likeness={likeness}"
        return self._step(step, Path(wav).read_bytes(), f"hears {wav}")

    def is_pressed(self, keys: str, within: float = 10.0) -> Phone:
        """The bot has pressed these keys."""
        __tracebackhide__ = True
        return self._step("wait", {"keys": keys, "within": within}, f"is pressed {keys}")

    def is_hung_up(self, within: float = 10.0) -> Phone:
        """The bot hangs up."""
        __tracebackhide__ = True
        return self._step("wait", {"for": "ended", "within": within}, "is hung up", _by_another)

    def hang_up(self) -> Phone:
        """Hangs up."""
        __tracebackhide__ = True
        return self._step("hang-up", b"", "hang up")

    def look(self) -> dict[str, Any]:
        """The phone and its call, as docs/TESTING.md describes them."""
        return dict(json.loads(self._ringback.ask("GET", self._path)))

    def heard(self) -> bytes:
        """What was heard in the latest call, as a WAV file."""
        return self._ringback.ask("GET", f"{self._path}/heard.wav")

    def put_away(self) -> None:
        """Hangs up, and is gone."""
        self._ringback.ask("DELETE", self._path)

    def _step(
        self,
        step: str,
        body: bytes | dict[str, Any],
        words: str,
        also_wrong: Callable[[dict[str, Any]], str | None] = lambda phone: None,
    ) -> Phone:
        __tracebackhide__ = True
        taken = json.loads(self._ringback.ask("POST", f"{self._path}/{step}", body))
        why = also_wrong(taken["phone"]) if taken["ok"] else taken["why"]
        if why is not None:
            timeline = taken["phone"]["timeline"][-12:]
            happened = "".join(f"\n    {entry['kind']:<12} {entry['text']}" for entry in timeline)
            raise NotSo(f"{words}: {why}" + (f"\n  what happened in the call:{happened}" if happened else ""))
        return self


def _by_another(phone: dict[str, Any]) -> str | None:
    by = phone["ended"]["by"]
    return None if by == "bot" else f"by the {by}, not by the bot"


@pytest.fixture(scope="session")
def ringback() -> Iterator[Ringback]:
    """The server: one that runs, or one of the tests' own."""
    if data := os.environ.get("RINGBACK_DATA"):
        yield Ringback.at(Path(data))
        return
    program = os.environ.get("RINGBACK", "ringback")
    with tempfile.TemporaryDirectory(prefix="ringback-tests-") as folder:
        words = [program, "serve", "--json", "--data", folder]
        for listener in ("--http", "--https", "--sip", "--sip-tls"):
            words += [listener, "127.0.0.1:0"]
        server = subprocess.Popen(words, stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            ready = json.loads(server.stdout.readline() or "{}")
            if not ready:
                raise RuntimeError(f"{program} serve did not start; it says why above")
            yield Ringback(ready["http"], Path(ready["operator_token_file"]).read_text().strip(), ready)
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def phones(ringback: Ringback) -> Iterator[Callable[..., Phone]]:
    """Makes phones, `phones(number="1001", called="ring")`; they hang up when the test is over."""
    # It puts all away, and tells then what could not be.
    with ExitStack() as away:

        def make(**how: Any) -> Phone:
            phone = Phone(ringback, **how)
            away.callback(phone.put_away)
            return phone

        yield make


@pytest.fixture
def phone(phones: Callable[..., Phone]) -> Phone:
    """A phone."""
    return phones()


@pytest.fixture
def fault(ringback: Ringback) -> Iterator[Callable[..., None]]:
    """Makes the next notifications go wrong on purpose, `fault("drop", next=3)`: `delay` (with `delayMs=`), `drop`,
    `duplicate` or `swap`. What no notification has met when the test is over is taken back."""
    with ExitStack() as back:

        def make(kind: str, **more: Any) -> None:
            made = json.loads(ringback.ask("POST", "test/faults", {"fault": kind, **more}))
            back.callback(ringback.ask, "DELETE", f"test/faults/{made['id']}")

        yield make
