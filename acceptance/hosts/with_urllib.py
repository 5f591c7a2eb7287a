"""A bot on urllib: calls, and prints the call's id."""

import json
import urllib.parse
import urllib.request

from setting import CALL, CALLS, FORM, TOKEN, bearer


def post(url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
        return dict(json.load(answer))


token = post(TOKEN, urllib.parse.urlencode(FORM).encode(), {})["access_token"]
headers = bearer(token) | {"Content-Type": "application/json"}
print(post(CALLS, json.dumps(CALL).encode(), headers)["id"])
