"""A bot on aiohttp, which knows no proxy unless told: calls, and prints the call's id."""

import asyncio

import aiohttp
from setting import CALL, CALLS, FORM, TOKEN, bearer


async def call() -> str:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
        async with session.post(TOKEN, data=FORM) as answer:
            token = (await answer.json())["access_token"]
        async with session.post(CALLS, json=CALL, headers=bearer(token)) as answer:
            return str((await answer.json())["id"])


print(asyncio.run(call()))
