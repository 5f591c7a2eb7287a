# Once Ringback is up: puts its certificate where the bot finds it, and says where apps are rung that it has not seen yet.
# Of the data folder nothing else leaves: there are keys in it.
set -eu
cp "$DATA/ca.pem" "$TRUST/ca.pem"
cat /etc/ssl/certs/ca-certificates.crt "$DATA/ca.pem" > "$TRUST/bundle.pem"
chmod 644 "$TRUST/ca.pem" "$TRUST/bundle.pem"
curl --fail-with-body --silent --show-error --request PUT "$RINGBACK/_ringback/apps/first-seen" \
  --header "Authorization: Bearer $(cat "$DATA/operator.token")" \
  --header 'Content-Type: application/json' --data "{\"webhook\": \"$WEBHOOK\"}"
