"""What unmodified client libraries sent, sent again: each captured request, with its own path, headers and body.

Only what cannot be the same is replaced: host, token, the ids of calls and users, and the addresses of bot and prompts.
The captures are those that crates/graph tests its parsers with.
"""

from __future__ import annotations

import json
import random
import re
import urllib.parse
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from kit import audio, check, part
from kit.bot import Bot
from kit.graph import Answer, Graph, error_code
from kit.server import Server, World

CAPTURED = Path(__file__).resolve().parent.parent / "crates/graph/tests/all/captured"

CALL_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

NOT_KEPT = {"host", "authorization", "content-length", "connection"}
"""Headers that belong to the connection on which they were captured."""

Json = dict[str, Any]

SUCCESS = {
    "GET call": 200,
    "GET calls": 200,
    "GET operations": 200,
    "GET participants": 200,
    "DELETE call": 204,
    "POST playprompt": 200,
    "POST recordresponse": 200,
    "POST record": 200,
    "POST senddtmftones": 200,
    "POST subscribetotone": 200,
    "POST cancelmediaprocessing": 200,
    "POST keepalive": 200,
}
"""What must succeed on an established call. Everything else is answered with a client's error, and in words."""

REFUSED = {400, 403, 404, 405, 409, 415, 501}


class Wire:
    """Sends captured requests to one server, on which a call is kept up all the time."""

    def __init__(self, program: Path, folder: Path, stack: ExitStack) -> None:
        self.bot = stack.enter_context(Bot())
        self.world = World(self.bot.callback)
        self.server = stack.enter_context(Server(program, folder, self.world))
        self.graph = Graph(self.server)
        self.prompt = self.bot.prompt("tone", audio.wav_bytes(audio.draw_tones(random.Random(1), 0.5)))
        self.call: str | None = None

    def established_call(self) -> str:
        """The id of a call that is up."""
        if self.call is None:
            self.call = self.graph.call_user(self.world.null_line, self.bot.callback)
            self.bot.wait_ready(self.call)
        return self.call

    def replay(self, captured: Json) -> None:
        """Sends one request and checks how it is answered."""
        target = urllib.parse.unquote(captured["target"])
        if "/communications/" in target:
            self._replay_graph(captured)
        else:
            self._replay_login(captured)

    def _replay_login(self, captured: Json) -> None:
        target = re.sub("^/[^/]+/", f"/{self.world.tenant}/", captured["target"])
        body = None
        if captured["body"]:
            form = dict(urllib.parse.parse_qsl(captured["body"]))
            form |= {"client_id": self.world.app, "client_secret": self.world.secret}
            body = urllib.parse.urlencode(form).encode()
        answer = self.graph.send(captured["method"], target, body, kept_headers(captured))
        check.same(answer.status, 200, f"{captured['method']} {target} ({answer.text})")
        member = "access_token" if body else "token_endpoint"
        check.that(answer.json.get(member), f"{captured['method']} {target}: no {member}")

    def _replay_graph(self, captured: Json) -> None:
        call = self.established_call()
        target = CALL_ID.sub(call, captured["target"], count=1)
        body = self._rewritten(captured["body"]) if captured["body"] != "" else None
        data = None if body is None else json.dumps(body).encode()
        headers = kept_headers(captured)
        sent = f"{captured['method']} {target} {json.dumps(body) if body else ''}"

        if not any(name.lower() == "authorization" for name, _ in captured["headers"]):
            answer = self.graph.send(captured["method"], target, data, headers)
            check.same(answer.status, 401, f"without a token: {sent}")
            error_code(answer)
        headers["Authorization"] = f"Bearer {self.graph.token}"
        answer = self.graph.send(captured["method"], target, data, headers)
        self._check(captured["method"], target, body, answer, sent)

    def _check(self, method: str, target: str, body: Any, answer: Answer, sent: str) -> None:
        wanted = self._wanted(method, target, body)
        if wanted is None:
            check.that(answer.status in REFUSED, f"{sent}: wanted a refusal, found {answer.status} {answer.text}")
            error_code(answer)
            return
        check.same(answer.status, wanted, f"status of {sent} ({answer.text})")
        if wanted == 201:
            self.graph.ask("DELETE", f"/v1.0/communications/calls/{answer.json['id']}")
        if method == "DELETE":
            self.call = None
        if answer.status == 204 or "keepAlive" in target:
            check.same(answer.text, "", f"body of {sent}")

    def _wanted(self, method: str, target: str, body: Any) -> int | None:
        """The status that the request must have; `None`: any refusal."""
        parts = [part for part in target.split("/") if part][2:]
        match parts:
            case ["calls"] if method == "POST":
                targets = body.get("targets") or []
                single = len(targets) == 1 and not body.get("meetingInfo")
                return 201 if single and "user" in targets[0]["identity"] else None
            case ["calls"]:
                return SUCCESS.get(f"{method} calls")
            case ["calls", id] if id == self.call:
                return SUCCESS.get(f"{method} call")
            case ["calls", id, "operations" | "participants" as collection] if id == self.call:
                return SUCCESS.get(f"{method} {collection}")
            case ["calls", id, action] if id == self.call:
                if action.lower() == "playprompt" and not body.get("prompts"):
                    return None
                return SUCCESS.get(f"{method} {action.lower()}")
        return None

    def _rewritten(self, value: Any) -> Any:
        """A body with addresses and users that exist here."""
        match value:
            case dict():
                changed = {key: self._rewritten(inner) for key, inner in value.items()}
                if "callbackUri" in changed:
                    changed["callbackUri"] = self.bot.callback
                if "tenantId" in changed:
                    changed["tenantId"] = self.world.tenant
                if "uri" in changed:
                    changed["uri"] = self.prompt
                if isinstance(user := changed.get("user"), dict):
                    user["id"] = self.world.null_line
                if isinstance(app := changed.get("application"), dict):
                    app["id"] = self.world.app
                return changed
            case list():
                return [self._rewritten(inner) for inner in value]
        return value


def kept_headers(captured: Json) -> dict[str, str]:
    return {name: value for name, value in captured["headers"] if name.lower() not in NOT_KEPT}


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    files = sorted(CAPTURED.glob("*.json"))
    check.that(files, f"no captured requests in {CAPTURED}")

    def replay(file: Path) -> None:
        captured = json.loads(file.read_text())
        check.that(captured, "the file is empty")
        for request in captured:
            wire.replay(request)

    def metrics() -> None:
        answer = wire.graph.send("GET", "/metrics", None, {"Authorization": f"Bearer {wire.server.door.token}"})
        check.same(answer.status, 200, "status of the metrics")
        families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        commits = families["ringback_ledger_commits"].samples[0].value
        check.that(commits > 0, "the requests before left commits")
        check.same(families["ringback_operations_orphaned"].samples[0].value, 0.0, "operations without an owner")
        for family in families.values():
            for sample in family.samples:
                ids = [value for value in sample.labels.values() if CALL_ID.search(value)]
                check.that(not ids, f"{sample.name} has an id for a label: {ids}")

    wire = Wire(program, folder, stack)
    cases = [(file.stem, partial(replay, file)) for file in files]
    return [*cases, ("Prometheus's own parser reads the metrics", metrics)]


if __name__ == "__main__":
    part.main(cases)
