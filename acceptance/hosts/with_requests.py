"""A bot on requests: calls, and prints the call's id."""

import requests
from setting import CALL, CALLS, FORM, TOKEN, bearer

token = requests.post(TOKEN, FORM, timeout=30).json()["access_token"]
print(requests.post(CALLS, json=CALL, headers=bearer(token), timeout=30).json()["id"])
