"""A bot on httpx: calls, and prints the call's id."""

import httpx
from setting import CALL, CALLS, FORM, TOKEN, bearer

with httpx.Client(timeout=30) as client:
    token = client.post(TOKEN, data=FORM).json()["access_token"]
    print(client.post(CALLS, json=CALL, headers=bearer(token)).json()["id"])
