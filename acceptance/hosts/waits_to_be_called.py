"""A bot that asks for nothing before it is called. It answers, has a public name by which it wants to be told of the
rest, and hangs up once there is audio. What it is told it prints. With a certificate it serves https alone."""

from __future__ import annotations

import os
import ssl
from typing import Any

import aiohttp
from aiohttp import web

GRAPH = "https://graph.microsoft.com/v1.0"
PUBLIC = "https://bot.tunnel.example/api/calling"


async def token(session: aiohttp.ClientSession) -> str:
    tenant = os.environ["MicrosoftAppTenantId"]
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["MicrosoftAppId"],
        "client_secret": os.environ["MicrosoftAppPassword"],
        "scope": "https://graph.microsoft.com/.default",
    }
    async with session.post(f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token", data=form) as answer:
        return str((await answer.json())["access_token"])


async def react(call: str, data: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {await token(session)}"}
        if data["state"] == "incoming":
            body = {
                "callbackUri": PUBLIC,
                "acceptedModalities": ["audio"],
                "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
            }
            await session.post(f"{GRAPH}/communications/calls/{call}/answer", json=body, headers=headers)
        elif data["state"] == "established" and data.get("mediaState", {}).get("audio") == "active":
            await session.delete(f"{GRAPH}/communications/calls/{call}", headers=headers)


async def told(request: web.Request) -> web.Response:
    for notice in (await request.json())["value"]:
        data = notice["resourceData"]
        if isinstance(data, dict) and "state" in data:
            print(data["state"], flush=True)
            request.app["work"].append(
                request.app.loop.create_task(react(notice["resourceUrl"].split("/")[3], data))
            )
    return web.Response(status=202)


bot = web.Application()
bot["work"] = []
bot.router.add_post("/api/calling", told)
tls = None
if "CERTIFICATE" in os.environ:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.environ["CERTIFICATE"], os.environ["KEY"])
web.run_app(bot, host="127.0.0.1", port=0, print=None, ssl_context=tls)
