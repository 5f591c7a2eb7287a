"""The operator's door of a running server, found as the command line finds it: by its data folder."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from kit import check

Json = dict[str, Any]


def ask(method: str, url: str, body: Json | None = None, token: str | None = None) -> Json:
    """What a request is answered, which must succeed."""
    request = urllib.request.Request(url, method=method)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=check.PATIENCE) as answer:
        text = answer.read()
        return dict(json.loads(text)) if text else {}


class Door:
    """Asks with the operator's token; `url` where the data folder's is not how the server is reached from here."""

    def __init__(self, data: Path, url: str | None = None) -> None:
        self._data, self._url = data, url

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._url or (self._data / "http.url").read_text().strip()

    @property
    def token(self) -> str:
        """The operator's."""
        return (self._data / "operator.token").read_text().strip()

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """What is answered to a request for what is below `/_ringback/`."""
        return ask(method, f"{self.url}/_ringback/{path}", body, self.token)

    def lives(self) -> str | None:
        """The id of the call that lives, if there is one."""
        calls = self.ask("GET", "calls")["value"]
        return str(calls[0]["id"]) if calls else None

    def operations(self, call: str) -> list[Json]:
        """A call's operations, of one that has ended too."""
        return list(self.ask("GET", f"calls/{call}/operations")["value"])

    def status(self, call: str, context: str) -> str | None:
        """The status of the call's operation with this clientContext, if there is one."""
        found = [one["status"] for one in self.operations(call) if one["clientContext"] == context]
        return str(found[0]) if found else None
