#!/bin/sh
# A bot on curl: calls, and prints the call's id.
set -eu
ask() {
    curl --silent --show-error --fail --max-time 30 "$@"
}
member() {
    printf '%s' "$2" | sed -E "s/.*\"$1\":\"([^\"]+)\".*/\1/"
}
answer=$(ask "https://login.microsoftonline.com/$TENANT_ID/oauth2/v2.0/token" \
    --data grant_type=client_credentials --data-urlencode scope=https://graph.microsoft.com/.default \
    --data "client_id=$CLIENT_ID" --data-urlencode "client_secret=$CLIENT_SECRET")
token=$(member access_token "$answer")
ask https://graph.microsoft.com/v1.0/communications/calls --dump-header /dev/stderr --output /dev/null \
    --header "Authorization: Bearer $token" --header "Content-Type: application/json" --data "{
        \"callbackUri\": \"http://127.0.0.1:3978/api/calls\",
        \"targets\": [{\"identity\": {\"user\": {\"id\": \"$CALLED_USER\"}}}],
        \"requestedModalities\": [\"audio\"],
        \"mediaConfig\": {\"@odata.type\": \"#microsoft.graph.serviceHostedMediaConfig\"}}" 2>&1 |
    tr -d '\r' | sed -nE 's,^location: https://graph.microsoft.com/.*/calls/,,p'
