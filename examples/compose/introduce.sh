# Once Ringback is up: puts its certificate where the bot finds it, and says who the bot is and where it is rung. One that
# only answers calls asks for nothing before it is rung, so that it would not be known.
# Of the data folder nothing else leaves: there are keys in it.
set -eu
cp "$DATA/ca.pem" "$TRUST/ca.pem"
cat /etc/ssl/certs/ca-certificates.crt "$DATA/ca.pem" > "$TRUST/bundle.pem"
chmod 644 "$TRUST/ca.pem" "$TRUST/bundle.pem"
curl --fail-with-body --silent --show-error --request PUT "$RINGBACK/_ringback/apps/$AZURE_CLIENT_ID" \
  --header "Authorization: Bearer $(cat "$DATA/operator.token")" \
  --header 'Content-Type: application/json' \
  --data "{\"tenant\": \"$AZURE_TENANT_ID\", \"webhook\": \"$WEBHOOK\"}"
