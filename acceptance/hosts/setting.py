"""What every bot here has in its own environment, as bots do. Where Microsoft is, they know by heart."""

from __future__ import annotations

import os

TENANT = os.environ["TENANT_ID"]
APP = os.environ["CLIENT_ID"]
SECRET = os.environ["CLIENT_SECRET"]

TOKEN = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
CALLS = "https://graph.microsoft.com/v1.0/communications/calls"
SCOPE = "https://graph.microsoft.com/.default"

FORM = {"grant_type": "client_credentials", "client_id": APP, "client_secret": SECRET, "scope": SCOPE}

CALL = {
    "@odata.type": "#microsoft.graph.call",
    "callbackUri": "http://127.0.0.1:3978/api/calls",
    "requestedModalities": ["audio"],
    "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    "targets": [{"identity": {"user": {"id": os.environ["CALLED_USER"]}}}],
    "tenantId": TENANT,
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
