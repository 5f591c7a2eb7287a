"""A bot seen from outside: a web server that keeps a journal of what it is told, and serves prompts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kit import check
from kit.processes import Ends

Json = dict[str, Any]


@dataclass(frozen=True)
class Notice:
    """One `commsNotification` as it came in, with the headers of its POST."""

    at: float
    headers: dict[str, str]
    """Names in lower case."""
    body: Json
    """The notification itself, out of its envelope."""
    envelope: Json

    @property
    def change(self) -> str:
        return str(self.body.get("changeType"))

    @property
    def resource(self) -> str:
        """The path after `/communications/calls/`: `{id}`, `{id}/operations/{operation}` or `{id}/participants`."""
        return str(self.body.get("resourceUrl", "")).removeprefix("/communications/calls/")

    @property
    def data(self) -> Any:
        return self.body.get("resourceData")

    @property
    def state(self) -> str | None:
        """The call's state, if it is a call that this tells of."""
        return self.data.get("state") if isinstance(self.data, dict) else None

    @property
    def tone(self) -> str | None:
        """The key, if it tells of one."""
        info = self.data.get("toneInfo") if isinstance(self.data, dict) else None
        return info.get("tone") if info else None


class Bot(Ends):
    """Listens on loopback; answers 202 to everything it is told."""

    def __init__(self) -> None:
        self.journal: list[Notice] = []
        self.prompts: dict[str, bytes] = {}
        """Path to WAV file."""
        self.fetched: list[str] = []
        """`METHOD path` of each fetch of a prompt, in order."""
        self.on_incoming: Callable[[str], None] | None = None
        """Called with the id of each incoming call, beside the answer to the notification that told of it."""
        self._pool = ThreadPoolExecutor(max_workers=8)
        self._changed = threading.Condition()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self, failed: bool) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._pool.shutdown()

    def url(self, path: str) -> str:
        """An address that leads to this bot."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/{path}"

    @property
    def callback(self) -> str:
        """Where it wants to be told."""
        return self.url("api/calls")

    def prompt(self, name: str, wav: bytes) -> str:
        """Serves a WAV file from now on; gives its address."""
        self.prompts[f"/prompts/{name}.wav"] = wav
        return self.url(f"prompts/{name}.wav")

    def so_far(self, call: str) -> list[Notice]:
        """What it was told of one call, in order."""
        with self._changed:
            return [notice for notice in self.journal if notice.resource.split("/")[0] == call]

    def tones(self, call: str) -> list[str]:
        """The keys that it was told of, in order."""
        return [notice.tone for notice in self.so_far(call) if notice.tone]

    def wait(self, what: str, wanted: Callable[[Notice], object], within: float = check.PATIENCE) -> Notice:
        """The first notice that is wanted, now or later."""
        deadline = time.monotonic() + within
        with self._changed:
            while True:
                for notice in self.journal:
                    if wanted(notice):
                        return notice
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    told = "\n".join(f"  {n.change} {n.resource} {json.dumps(n.data)[:600]}" for n in self.journal[-8:])
                    raise check.Failed(f"the bot was not told within {within:g} s: {what}; it was told:\n{told}")

    def wait_state(self, call: str, state: str, within: float = check.PATIENCE) -> Notice:
        """The first notice that says that the call is in this state."""
        return self.wait(f"call is {state}", lambda n: n.resource == call and n.state == state, within)

    def wait_ready(self, call: str, within: float = check.PATIENCE) -> Notice:
        """The notice after which bots play: established, with audio active."""

        def ready(notice: Notice) -> bool:
            audio = (notice.data.get("mediaState") or {}).get("audio") if isinstance(notice.data, dict) else None
            return notice.resource == call and notice.state == "established" and audio == "active"

        return self.wait("call is established and its audio active", ready, within)

    def wait_operation(self, call: str, operation: str, within: float = check.PATIENCE) -> Notice:
        """The notice of an operation's end."""
        return self.wait("operation has ended", lambda n: n.resource == f"{call}/operations/{operation}", within)

    def wait_incoming(self, after: int = 0, within: float = check.PATIENCE) -> Notice:
        """The first incoming call that stands in the journal at `after` or later."""

        def fresh(notice: Notice) -> bool:
            return notice.state == "incoming" and notice in self.journal[after:]

        return self.wait("call is incoming", fresh, within)

    def _told(self, headers: dict[str, str], envelope: Json) -> None:
        with self._changed:
            for body in envelope.get("value", []):
                notice = Notice(time.monotonic(), headers, body, envelope)
                self.journal.append(notice)
                if self.on_incoming is not None and notice.state == "incoming":
                    self._pool.submit(self.on_incoming, str(notice.data["id"]))
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bot = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                bot._told(headers, json.loads(body))
                self._answer(202, b"")

            def do_GET(self) -> None:
                bot.fetched.append(f"{self.command} {self.path}")
                wav = bot.prompts.get(self.path)
                if wav is None:
                    self._answer(404, b"")
                else:
                    self._answer(200, wav)

            do_HEAD = do_GET

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "audio/wav" if body else "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
