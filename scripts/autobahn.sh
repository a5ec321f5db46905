#!/usr/bin/env bash
# Runs the Autobahn suite against the WebSocket frame reader, through the raw connection of the test hub.
#
# The suite needs Python 2.7, which no current distribution has: without it, this reports that and ends. So it is not
# part of make test; tests of the reader and of the real socket cover its findings.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

PORT=${FANFARE_TESTHUB_PORT:-5000}
PLACE=$TOOLS/autobahn
OUT=target/autobahn

has python2.7 && python2.7 --version >/dev/null 2>&1 ||
  fail "The Autobahn suite needs Python 2.7 as python2.7 (with pyenv: PYENV_VERSION=2.7.18 make autobahn)."
if [[ ! -e $PLACE/autobahntestsuite ]]; then
  say "Fetching the Autobahn suite"
  python2.7 -m pip install --quiet --disable-pip-version-check --target "$PLACE" autobahntestsuite==0.8.2 ||
    fail "The Autobahn suite could not be fetched from PyPI."
  # In a folder outside Python's sites, a namespace is a package only with this file.
  touch "$PLACE/zope/__init__.py"
fi
scripts/setup.sh build
cargo build --locked -p fanfare-testhub
"${CARGO_TARGET_DIR:-target}/debug/fanfare-testhub" --port "$PORT" >target/setup/autobahn-testhub.log 2>&1 &
HUB=$!
trap 'kill "$HUB" 2>/dev/null || true' EXIT
until curl -sf -o /dev/null "http://127.0.0.1:$PORT/generateJwtToken"; do
  kill -0 "$HUB" 2>/dev/null || fail "The test hub did not start; target/setup/autobahn-testhub.log says why."
  sleep 0.1
done
rm -rf "$OUT"
mkdir -p "$OUT"
sed "s|{OUT}|$PWD/$OUT|; s|{PORT}|$PORT|" tests/testhub/autobahn/suite.json >"$OUT/suite.json"
say "Running the suite (a minute or two)"
PYTHONPATH=$PLACE python2.7 "$PLACE/bin/wstest" -m fuzzingclient -s "$OUT/suite.json" >"$OUT/run.log" 2>&1 ||
  fail "The suite broke; $OUT/run.log says why."
node tests/testhub/autobahn/judge.mjs "$OUT/index.json" tests/testhub/autobahn/exceptions.json
