"""Plain requests to the server: a token, and any method, path and body. For what a client library would not send."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from kit import check
from kit.server import Server

SCOPE = "https://graph.microsoft.com/.default"
MEDIA = {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"}
RESOURCE_ACCOUNT = "7e7e7e7e-0000-4000-8000-00000000007e"


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Graph:
    """Requests with a bot's token."""

    def __init__(self, server: Server) -> None:
        self._port = server.http_port
        self._ca = server.ca
        self.token = self._fetch_token(server)

    def _fetch_token(self, server: Server) -> str:
        world = server.world
        form = {
            "client_id": world.app,
            "client_secret": world.secret,
            "grant_type": "client_credentials",
            "scope": SCOPE,
        }
        answer = self.send(
            "POST",
            f"/{world.tenant}/oauth2/v2.0/token",
            urllib.parse.urlencode(form).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        check.same(answer.status, 200, f"status of the token endpoint ({answer.text})")
        check.same(answer.json["token_type"], "Bearer", "token_type")
        return str(answer.json["access_token"])

    def send(
        self, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Sends exactly this: no header is added but Host, and Content-Length where there is a body."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=check.PATIENCE)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            text = response.read().decode()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)
        finally:
            connection.close()

    def ask(self, method: str, target: str, body: Any = None) -> Answer:
        """Sends JSON with the bot's token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        return self.send(method, target, data, headers)

    # What bots do most, checked only for its status.

    def call_user(self, user: str, callback: str) -> str:
        """Calls a user; gives the call's id."""
        return self._create({"targets": [{"identity": {"user": {"id": user}}}]}, callback)

    def call_number(self, number: str, callback: str) -> str:
        """Calls a telephone number, as a resource account of the bot's must (7507); gives the call's id."""
        source = {"identity": {"applicationInstance": {"id": RESOURCE_ACCOUNT}}}
        return self._create({"targets": [{"identity": {"phone": {"id": number}}}], "source": source}, callback)

    def join_meeting(self, number: str, callback: str) -> str:
        """Joins the meeting that phones dial by this number; gives the call's id."""
        meeting = {"@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo", "joinMeetingId": number}
        return self._create({"meetingInfo": meeting}, callback)

    def _create(self, far_end: dict[str, object], callback: str) -> str:
        body = far_end | {
            "@odata.type": "#microsoft.graph.call",
            "callbackUri": callback,
            "requestedModalities": ["audio"],
            "mediaConfig": MEDIA,
        }
        return str(self._done("POST", "", body, 201).json["id"])

    def answer(self, call: str, callback: str) -> None:
        body = {"callbackUri": callback, "acceptedModalities": ["audio"], "mediaConfig": MEDIA}
        self._done("POST", f"/{call}/answer", body, 202)

    def subscribe_to_tone(self, call: str) -> None:
        self._done("POST", f"/{call}/subscribeToTone", {"clientContext": "keys"}, 200)

    def play(self, call: str, url: str) -> str:
        """Plays one prompt; gives the operation's id."""
        body = {"clientContext": "prompt", "prompts": prompts(url)}
        return str(self._done("POST", f"/{call}/playPrompt", body, 200).json["id"])

    def cancel(self, call: str) -> None:
        """Cuts short what plays, and takes back what waits."""
        self._done("POST", f"/{call}/cancelMediaProcessing", {"clientContext": "cancel"}, 200)

    def record(self, call: str, url: str, seconds: int) -> str:
        """Plays one prompt and records for so many seconds what follows; gives the operation's id."""
        body = {"clientContext": "record", "prompts": prompts(url), "maxRecordDurationInSeconds": seconds}
        return str(self._done("POST", f"/{call}/recordResponse", body, 200).json["id"])

    def recording(self, location: str, token: str) -> bytes:
        """The file at a `recordingLocation`, with its `recordingAccessToken`."""
        request = urllib.request.Request(location, headers={"Authorization": f"Bearer {token}"})
        trust = ssl.create_default_context(cafile=self._ca)
        with urllib.request.urlopen(request, timeout=check.PATIENCE, context=trust) as answer:
            return bytes(answer.read())

    def hang_up(self, call: str) -> None:
        self._done("DELETE", f"/{call}", None, 204)

    def _done(self, method: str, rest: str, body: Any, status: int) -> Answer:
        answer = self.ask(method, f"/v1.0/communications/calls{rest}", body)
        check.same(answer.status, status, f"status of {method} calls{rest} ({answer.text})")
        return answer


def prompts(*urls: str) -> list[dict[str, object]]:
    """Prompts as playPrompt and recordResponse take them."""
    media = {"@odata.type": "#microsoft.graph.mediaInfo", "resourceId": "prompt"}
    return [{"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": media | {"uri": url}} for url in urls]


def error_code(answer: Answer) -> str:
    """The code of an error's body, which every 4xx and 5xx must have."""
    error = answer.json.get("error")
    check.that(isinstance(error, dict), f"{answer.status} without an error body: {answer.text!r}")
    for member in ("code", "message", "innerError"):
        check.that(error.get(member), f"the error has no {member}: {answer.text}")
    for member in ("date", "request-id", "client-request-id"):
        check.that(error["innerError"].get(member), f"the error's innerError has no {member}: {answer.text}")
    return str(error["code"])
