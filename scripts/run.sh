#!/usr/bin/env bash
# Builds and starts the whole demo platform, and ends it on Ctrl-C or SIGTERM.
#
# One process for each service. State and logs are in .fanfare/{broker}/; warnings are also shown here. If one
# service ends, all do.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

source scripts/demo-broker.sh
source scripts/processes.sh

BROKER=${BROKER:-embedded}
case $BROKER in
  embedded | nats | kafka) ;;
  *)
    warn "There is no broker $BROKER; BROKER is embedded, which is the default, nats or kafka."
    exit 2
    ;;
esac

STATE=.fanfare/$BROKER
LOGS=$STATE/logs
BIN=target/release

# The services in this order: each group starts when the one before it is ready. In any order they would find each other
# in the end, but first warn that a service with their keys is missing.
GROUPS_IN_ORDER=(auth 'license export' fanout)
CONFIG=demo/fanfare.toml
unset FANFARE_BROKER_URL
if [[ $BROKER != embedded ]]; then
  GROUPS_IN_ORDER=("$BROKER" "${GROUPS_IN_ORDER[@]}")
  CONFIG=demo/fanfare.$BROKER.toml
  FANFARE_BROKER_URL=$(broker_url "$BROKER")
  export FANFARE_BROKER_URL
fi

ports() {
  case $1 in
    fanout) echo 8080 9090 ;;
    auth) echo 8081 ;;
    license) echo 8082 ;;
    export) echo 8083 ;;
    *) broker_ports "$1" ;;
  esac
}
is_ready() {
  case $1 in
    fanout) answers http://127.0.0.1:9090/readyz ;;
    nats | kafka) broker_is_ready "$1" ;;
    *) answers "http://127.0.0.1:$(ports "$1")/readyz" ;;
  esac
}
start_command() {
  case $1 in
    fanout) exec "$BIN/fanfare" serve --config "$CONFIG" ;;
    nats | kafka) broker_command "$1" ;;
    *) FANFARE_DATA=$STATE/$1 FANFARE_DEMO_USERS=true exec "$BIN/fanfare-$1" ;;
  esac
}

# Builds with the demo profile and copies the programs to the paths of a release build.
build() {
  local built=${CARGO_TARGET_DIR:-target}/demo features=nats program
  # Kafka's client is C that takes as long to compile as much of the rest.
  [[ $BROKER != kafka ]] || features=nats,kafka
  scripts/setup.sh run "$BROKER"
  scripts/web.sh
  say "Building the services (the first time takes some minutes)"
  cargo build --profile demo --locked --no-default-features --features "$features" \
    -p fanfare-fanout -p fanfare-auth -p fanfare-license -p fanfare-export
  mkdir -p "$BIN"
  for program in fanfare fanfare-auth fanfare-license fanfare-export; do
    # Replaces the file instead of overwriting it: it may be cargo's own, or still running.
    cp --remove-destination "$built/$program" "$BIN/$program"
  done
}

welcome() {
  cat <<END

${BOLD}${GREEN}Fanfare is up.${PLAIN}

  ${BOLD}demo page${PLAIN}   http://127.0.0.1:8080
  ${BOLD}operations${PLAIN}  http://127.0.0.1:9090/readyz  http://127.0.0.1:9090/metrics
  ${BOLD}services${PLAIN}    auth http://127.0.0.1:8081  license http://127.0.0.1:8082  export http://127.0.0.1:8083

  ${BOLD}users${PLAIN}       alice (acme)  bob (acme, admin)  carol (globex)  root (superadmin); password: demo
  ${BOLD}logs${PLAIN}        $LOGS/

Ctrl-C stops everything. ${DIM}Deleting $STATE starts afresh.${PLAIN}

END
}

check_ports
build
# A build takes minutes, in which another process may have taken a port.
check_ports
start_all
welcome
watch_all
