"""An IVR: answers, plays a menu, and by the key pressed tells the hours or the address, or records a message."""

import asyncio
import functools
import json
import os
import urllib.request
from collections import defaultdict, deque
from pathlib import Path

import aiohttp
import jwt
from aiohttp import web
from azure.identity.aio import EnvironmentCredential
from msgraph.graph_service_client import GraphServiceClient
from msgraph.generated.communications.calls.item.answer import answer_post_request_body as answer
from msgraph.generated.communications.calls.item.cancel_media_processing import (
    cancel_media_processing_post_request_body as cancel,
)
from msgraph.generated.communications.calls.item.play_prompt import play_prompt_post_request_body as play
from msgraph.generated.communications.calls.item.record_response import record_response_post_request_body as record
from msgraph.generated.communications.calls.item.subscribe_to_tone import (
    subscribe_to_tone_post_request_body as subscribe,
)
from msgraph.generated.models.comms_operation import CommsOperation
from msgraph.generated.models.operation_status import OperationStatus
from msgraph.generated.models.media_info import MediaInfo
from msgraph.generated.models.media_prompt import MediaPrompt
from msgraph.generated.models.modality import Modality
from msgraph.generated.models.service_hosted_media_config import ServiceHostedMediaConfig

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
        self.task = asyncio.create_task(serve(self))

    def tell(self, what: str, data: object) -> None:
        if not self.told[what].done():
            self.told[what].set_result(data)

    def end(self) -> None:
        lines.pop(self.id)
        for what in ("up", "key", *self.told):
            self.tell(what, None)

    async def end_of(self, operation: CommsOperation) -> dict:
        answered_ended = operation.status in (OperationStatus.Completed, OperationStatus.Failed)
        untold = self.id not in lines and operation.id not in self.told
        return {} if answered_ended or untold else await self.told[operation.id] or {}

    async def play(self, name: str) -> CommsOperation:
        body = play.PlayPromptPostRequestBody(prompts=prompt(name), client_context=name)
        return await self.call.play_prompt.post(body)


def prompt(name: str) -> list:
    return [MediaPrompt(media_info=MediaInfo(uri=f"{URL}/prompts/{name}.wav", resource_id=name))]


async def serve(line: Line) -> None:
    """One call, from its answer to its end."""
    audio = answer.AnswerPostRequestBody(callback_uri=f"{URL}/api/calls", accepted_modalities=[Modality.Audio])
    audio.media_config = ServiceHostedMediaConfig()
    await line.call.answer.post(audio)
    await line.told["up"]
    await line.call.subscribe_to_tone.post(subscribe.SubscribeToTonePostRequestBody(client_context="keys"))
    await line.play("menu")
    key, _ = await asyncio.wait([line.told["key"]], timeout=30)
    await line.call.cancel_media_processing.post(cancel.CancelMediaProcessingPostRequestBody(client_context="cancel"))
    key, message = key.pop().result() if key else None, None
    if key in ("tone1", "tone2"):
        await line.play("hours" if key == "tone1" else "address")
    elif key == "tone3":
        body = record.RecordResponsePostRequestBody(prompts=prompt("message"), client_context="message")
        body.stop_tones, body.max_record_duration_in_seconds = ["#"], 60
        message = await line.call.record_response.post(body)
    bye = await line.play("bye")  # waits its turn behind the others
    recording = await line.end_of(message) if message else {}
    if recording.get("recordingLocation"):  # a failed one has none
        bearer = {"Authorization": f"Bearer {recording['recordingAccessToken']}"}
        async with aiohttp.ClientSession() as http, http.get(recording["recordingLocation"], headers=bearer) as wav:
            Path(f"message-{line.id}.wav").write_bytes(await wav.read())
    await line.end_of(bye)
    if line.id in lines:
        await line.call.delete()


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
    except jwt.PyJWKClientConnectionError as error:
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
            lines[id].end()


app = web.Application()
prompts = Path(__file__).resolve().parent.parent / "prompts"
app.add_routes([web.post("/api/calls", webhook), web.static("/prompts", prompts)])
web.run_app(app, host=HOST, port=int(PORT))
