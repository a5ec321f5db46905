#!/usr/bin/env bash
# Installs what is missing and runs every test that needs no external account.
#
# Every step runs even if an earlier one failed, except after a failed build: without it the rest is meaningless.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

LOGS=target/test-logs
STEPS=20
# The longest step takes 10 to 20 minutes, depending on the machine's load. One that hangs is killed and named, and the
# others still run.
STEP_LIMIT=35m
DONE=0
FAILED=()
PASSED_TESTS=0
FAILED_TESTS=0
SKIPPED_TESTS=0
BEGAN=$SECONDS
rm -rf "$LOGS"
mkdir -p "$LOGS"
# Cargo does not see a terminal when its output goes to a log, but the log is shown on one.
[[ -z $BOLD ]] || export CARGO_TERM_COLOR=always

# A step has its own process group, so a signal that ends this script must end the step too.
RUNNING=
trap 'kill "$RUNNING" 2>/dev/null || true; exit 130' INT TERM HUP

# step NAME COMMAND...: runs a command, shows and stores its output, and records how it ended.
step() {
  local name=$1 began=$SECONDS status=0 shown
  DONE=$((DONE + 1))
  LOG=$LOGS/$DONE.log
  say
  say "${BOLD}[$DONE/$STEPS] $name${PLAIN}"
  : >"$LOG"
  timeout --kill-after=20s "$STEP_LIMIT" "${@:2}" >"$LOG" 2>&1 &
  RUNNING=$!
  tail -n +1 -f -s 0.2 --pid="$RUNNING" "$LOG" &
  shown=$!
  wait "$RUNNING" || status=$?
  wait "$shown" || true
  if ((status == 124)); then
    say "${RED}[$DONE/$STEPS] $name was ended after $STEP_LIMIT${PLAIN}"
  fi
  if ((status)); then
    FAILED+=("$name")
    say "${RED}[$DONE/$STEPS] $name failed after $((SECONDS - began)) s${PLAIN}"
  else
    say "${GREEN}[$DONE/$STEPS] $name: $((SECONDS - began)) s${PLAIN}"
  fi
  return "$status"
}

# needed STEP...: a step without which no other makes sense.
needed() { step "$@" || finish; }

# Adds up the results in the last step's log.
# A step that neither ran a test nor reported a skipped one has failed, whatever else it prints.
count() {
  local passed failed skipped
  read -r passed failed skipped < <(sed 's/\x1b\[[0-9;]*m//g' "$LOG" | awk -f scripts/test-results.awk)
  PASSED_TESTS=$((PASSED_TESTS + passed)) FAILED_TESTS=$((FAILED_TESTS + failed))
  SKIPPED_TESTS=$((SKIPPED_TESTS + skipped))
  ((passed + failed + skipped)) || FAILED+=("step $DONE ran no test")
}

# on_broker BROKER TOOL: the tests of the official client with the platform on that broker.
on_broker() {
  local tests
  if [[ -e $TOOLS/$2 ]]; then
    step "Tests with clients on $1" env FANFARE_TEST_BROKER="$1" npm run --silent test:broker --prefix tests/clients || true
    count
    return
  fi
  DONE=$((DONE + 1))
  tests=$(cat tests/clients/{notifications,logout,resume}.test.mjs | grep -c '^check(')
  SKIPPED_TESTS=$((SKIPPED_TESTS + tests))
  warn "[$DONE/$STEPS] The server of $1 is not installed: $tests tests with clients are skipped."
}

finish() {
  say
  for name in "${FAILED[@]}"; do
    say "${RED}failed: $name${PLAIN}"
  done
  say "${BOLD}$PASSED_TESTS passed, $FAILED_TESTS failed, $SKIPPED_TESTS skipped${PLAIN} (${#FAILED[@]} of $DONE steps failed, $((SECONDS - BEGAN)) s)"
  ((${#FAILED[@]} == 0)) || exit 1
  exit 0
}

needed "Set up" scripts/setup.sh test
step "Formatting" cargo fmt --all --check || true
needed "Build the web page" scripts/web.sh
step "Build the client library" scripts/client.sh || true
needed "Build the pages of the examples" scripts/example-pages.sh
step "Lints" cargo clippy --workspace --all-targets --locked -- -D warnings || true
# The test hub's feature of the node is not in releases, and a build of both would enable it for both.
step "Lints of the node as it is released" cargo clippy -p fanfare-fanout --all-targets --locked -- -D warnings || true
needed "Build the services" cargo build --workspace --exclude fanfare-testhub --bins --locked
needed "Build the test hub" cargo build -p fanfare-testhub --locked
step "Tests of the workspace" cargo test --workspace --exclude fanfare-testhub --locked --no-fail-fast || true
count
step "Tests of the test hub" cargo test -p fanfare-testhub --locked || true
count
step "Fuzzing, for a moment" env SECONDS_EACH=5 scripts/fuzz.sh || true
count
step "Tests of the web page" npm test --silent --prefix web || true
count
step "Tests of the client library" npm run --silent verify --prefix web/client || true
count
step "Tests with clients and browsers" npm test --silent --prefix tests/clients || true
count
step "Crates of others" scripts/supply-chain.sh || true
count
step "Checks of the deploy files" scripts/deploy-files.sh || true
count
on_broker nats nats/nats-server
on_broker kafka kafka/pom.xml
step "The table of compatible clients" node tests/clients/compatibility/document.mjs || true
finish
