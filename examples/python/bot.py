"""An IVR: answers, plays a menu, and by the key pressed tells the hours or the address, or records a message."""

import asyncio
import functools
import json
import logging
import os
import urllib.request
from collections import defaultdict, deque
from pathlib import Path

import jwt
from aiohttp import ClientSession, web
from azure.identity.aio import EnvironmentCredential
from msgraph.generated.communications.calls.item.answer import answer_post_request_body as answer
from msgraph.generated.communications.calls.item.cancel_media_processing import (
    cancel_media_processing_post_request_body as stop,
)
from msgraph.generated.communications.calls.item.play_prompt import play_prompt_post_request_body as play
from msgraph.generated.communications.calls.item.record_response import record_response_post_request_body as record
from msgraph.generated.communications.calls.item.subscribe_to_tone import subscribe_to_tone_post_request_body as keys
from msgraph.generated.models.media_info import MediaInfo
from msgraph.generated.models.media_prompt import MediaPrompt
from msgraph.generated.models.modality import Modality
from msgraph.generated.models.service_hosted_media_config import ServiceHostedMediaConfig
from msgraph.graph_service_client import GraphServiceClient

TENANT, APP = os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"]
HOST, _, PORT = os.environ.get("LISTEN", "127.0.0.1:3978").rpartition(":")
URL = os.environ.get("BOT_URL", f"http://{HOST}:{PORT}")
OPENID = "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration"
ISSUERS = ["https://api.botframework.com", "https://graph.microsoft.com"]
TENANT_CLAIM = "http://schemas.microsoft.com/identity/claims/tenantid"
graph = GraphServiceClient(EnvironmentCredential())
lines: dict[str, "Line"] = {}
seen: deque[object] = deque(maxlen=10_000)  # messages already taken: a repeat bears the same id


class Line:
    """One call, as its notifications tell of it."""

    def __init__(self, id: str) -> None:
        self.id, self.call = id, graph.communications.calls.by_call_id(id)
        # What is waited for: `up`, `key`, and operations by their id. All are set when the call is over.
        self.told = defaultdict(asyncio.get_running_loop().create_future)
        self.task = asyncio.create_task(self.serve())

    def tell(self, what: str, data: object) -> None:
        if not self.told[what].done():
            self.told[what].set_result(data)

    def end(self) -> None:
        for what in ("up", "key", *self.told):
            self.tell(what, None)

    async def end_of(self, operation) -> dict:
        if self.id not in lines:
            self.tell(operation.id, None)  # nothing more is told
        return {} if operation.result_info else await self.told[operation.id] or {}  # some are answered ended

    async def play(self, name: str):
        body = play.PlayPromptPostRequestBody(prompts=prompt(name), client_context=name)
        return await self.call.play_prompt.post(body)

    async def record(self, name: str) -> None:
        """Plays a prompt, and keeps what is said until # is pressed."""
        body = record.RecordResponsePostRequestBody(prompts=prompt(name), client_context=name)
        body.stop_tones, body.max_record_duration_in_seconds = ["#"], 60
        recording = await self.end_of(await self.call.record_response.post(body))
        if location := recording.get("recordingLocation"):  # a failed one has none
            bearer = {"Authorization": f"Bearer {recording['recordingAccessToken']}"}
            async with ClientSession(raise_for_status=True) as http, http.get(location, headers=bearer) as wav:
                Path(f"{name}-{self.id}.wav").write_bytes(await wav.read())

    async def serve(self) -> None:
        """The call, to its end, whatever goes wrong."""
        try:
            await self.talk()
        except Exception as error:  # such as a caller who hangs up early: status 404, code 8522
            logging.error("call %s: %s", self.id, error)
        if self.id in lines:
            await self.call.delete()

    async def talk(self) -> None:
        audio = answer.AnswerPostRequestBody(callback_uri=f"{URL}/api/calls", accepted_modalities=[Modality.Audio])
        audio.media_config = ServiceHostedMediaConfig()
        await self.call.answer.post(audio)
        await self.told["up"]
        await self.call.subscribe_to_tone.post(keys.SubscribeToTonePostRequestBody(client_context="keys"))
        await self.play("menu")
        await asyncio.wait([self.told["key"]], timeout=30)
        await self.call.cancel_media_processing.post(stop.CancelMediaProcessingPostRequestBody(client_context="cancel"))
        key = self.told["key"].result() if self.told["key"].done() else None
        if key in ("tone1", "tone2"):
            await self.play("hours" if key == "tone1" else "address")
        elif key == "tone3":
            await self.record("message")
        await self.end_of(await self.play("bye"))  # waits its turn behind the others


def prompt(name: str) -> list:
    return [MediaPrompt(media_info=MediaInfo(uri=f"{URL}/prompts/{name}.wav", resource_id=name))]


@functools.cache
def signing_keys() -> jwt.PyJWKClient:
    with urllib.request.urlopen(OPENID, timeout=5) as document:
        return jwt.PyJWKClient(json.load(document)["jwks_uri"], timeout=5)


def verify(token: str) -> None:
    key = signing_keys().get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=APP, issuer=ISSUERS, leeway=60)
    if claims.get(TENANT_CLAIM, claims.get("tid")) != TENANT:
        raise jwt.InvalidTokenError("the token is for another tenant")


async def webhook(request: web.Request) -> web.Response:
    try:
        await asyncio.to_thread(verify, request.headers.get("Authorization", "").removeprefix("Bearer "))
    except (OSError, jwt.PyJWKClientConnectionError) as error:  # it is to be told again
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    except jwt.PyJWTError as error:
        raise web.HTTPUnauthorized(text=str(error)) from error
    body, message = await request.json(), request.headers.get("X-Microsoft-Skype-Message-ID", object())
    for notification in body["value"] if message not in seen else []:
        take(notification)
    seen.append(message)
    return web.Response(status=202)


def take(notification: dict) -> None:
    data, (id, *below) = notification["resourceData"], notification["resourceUrl"].split("/")[3:]
    if notification["changeType"] == "created" and data.get("state") == "incoming":
        lines[id] = lines.get(id) or Line(id)
    if id in lines and below[:1] == ["operations"] and notification["changeType"] == "deleted":
        lines[id].tell(below[1], data)
    elif id in lines and not below:
        if data.get("state") == "established" and (data.get("mediaState") or {}).get("audio") == "active":
            lines[id].tell("up", None)
        if data.get("toneInfo"):
            lines[id].tell("key", data["toneInfo"]["tone"])
        if data.get("state") == "terminated":
            lines.pop(id).end()


app = web.Application()
app.add_routes([web.post("/api/calls", webhook), web.static("/prompts", Path(__file__).parents[1] / "prompts")])
web.run_app(app, host=HOST, port=int(PORT))
