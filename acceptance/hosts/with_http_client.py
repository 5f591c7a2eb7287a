"""A bot on http.client, which knows no proxy: calls, and prints the call's id."""

import http.client
import json
import urllib.parse

from setting import CALL, CALLS, FORM, TOKEN, bearer


def post(url: str, body: str, headers: dict[str, str]) -> dict[str, str]:
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection(where.netloc, timeout=30)
    connection.request("POST", where.path, body, headers)
    return dict(json.load(connection.getresponse()))


form = {"Content-Type": "application/x-www-form-urlencoded"}
token = post(TOKEN, urllib.parse.urlencode(FORM), form)["access_token"]
print(post(CALLS, json.dumps(CALL), bearer(token) | {"Content-Type": "application/json"})["id"])
