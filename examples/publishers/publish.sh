#!/bin/sh
# Publishes one event: publish.sh [TITLE [ID]]
set -eu
: "${FANFARE_URL:?such as http://127.0.0.1:8080}" "${FANFARE_TOKEN:?the token of a producer}"
title=${1:-Hello} id=${2:-$(cat /proc/sys/kernel/random/uuid)}

# curl sends again after 408, 429, 503 and 504, and waits as Retry-After says. The id stays the same.
exec curl --silent --show-error --fail-with-body --max-time 10 --retry 5 --retry-connrefused "$FANFARE_URL/events" \
  --header "Authorization: Bearer $FANFARE_TOKEN" \
  --header "Content-Type: application/json" \
  --header "ce-specversion: 1.0" \
  --header "ce-id: $id" \
  --header "ce-source: /examples/curl" \
  --header "ce-type: system.Alert" \
  --data-binary "{\"org\": \"acme\", \"severity\": \"info\", \"title\": \"$title\", \"message\": \"from curl\"}"
