#!/usr/bin/env bash
# Builds and starts one of the examples, and ends it on Ctrl-C or SIGTERM.
#
#   NAME=tickets scripts/example.sh      BROKER is embedded, nats or kafka
#
# A node, and the example's backend if it has one. State and logs are in .fanfare/examples/{name}/{broker}/; warnings are
# also shown here. If one process ends, all do.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

source scripts/demo-broker.sh
source scripts/processes.sh

# The examples that can be run, each a folder with a configuration.
names() {
  local file
  for file in examples/*/fanfare.toml; do
    basename "${file%/fanfare.toml}"
  done
}

NAME=${NAME:-}
BROKER=${BROKER:-embedded}
EXAMPLE=examples/$NAME
if [[ -z $NAME || ! -e $EXAMPLE/fanfare.toml ]]; then
  [[ -z $NAME ]] && warn "Which example?" || warn "There is no example $NAME."
  warn "$(names | sed 's/^/  make example NAME=/')"
  exit 2
fi
case $BROKER in
  embedded | nats | kafka) ;;
  *)
    warn "There is no broker $BROKER; BROKER is embedded, which is the default, nats or kafka."
    exit 2
    ;;
esac

STATE=.fanfare/examples/$NAME/$BROKER
LOGS=$STATE/logs
BIN=target/release
CONFIG=$EXAMPLE/fanfare.toml

# The backend first: the node fetches its keys.
GROUPS_IN_ORDER=(fanout)
[[ ! -e $EXAMPLE/backend/main.mjs ]] || GROUPS_IN_ORDER=(backend fanout)
[[ $BROKER == embedded ]] || GROUPS_IN_ORDER=("$BROKER" "${GROUPS_IN_ORDER[@]}")

# The same configuration on another broker, next to the example's own, because paths are relative to the file.
configure() {
  [[ $BROKER != embedded ]] || return 0
  CONFIG=$EXAMPLE/fanfare.$BROKER.local.toml
  sed -e "s|^url = \"embedded:.*|url = \"$(broker_url "$BROKER")\"|" -e "s|/examples/$NAME/embedded/|/examples/$NAME/$BROKER/|" \
    "$EXAMPLE/fanfare.toml" >"$CONFIG"
}

ports() {
  case $1 in
    fanout) echo 8080 9090 ;;
    backend) echo 8084 ;;
    *) broker_ports "$1" ;;
  esac
}
is_ready() {
  case $1 in
    fanout) answers http://127.0.0.1:9090/readyz ;;
    backend) answers http://127.0.0.1:8084/readyz ;;
    *) broker_is_ready "$1" ;;
  esac
}
start_command() {
  case $1 in
    fanout) exec "$BIN/fanfare" serve --config "$CONFIG" ;;
    backend) exec node "$EXAMPLE/backend/main.mjs" --data="$STATE/backend" ;;
    *) broker_command "$1" ;;
  esac
}

# Builds with the demo profile and copies the program to the path of a release build.
build() {
  local built=${CARGO_TARGET_DIR:-target}/demo features=nats
  [[ $BROKER != kafka ]] || features=nats,kafka
  scripts/setup.sh example "$BROKER"
  scripts/example-pages.sh "$NAME"
  say "Building the node (the first time takes some minutes)"
  cargo build --profile demo --locked --no-default-features --features "$features" -p fanfare-fanout
  mkdir -p "$BIN"
  cp --remove-destination "$built/fanfare" "$BIN/fanfare"
}

welcome() {
  local backend='' users=''
  if [[ -e $EXAMPLE/backend/main.mjs ]]; then
    backend="  ${BOLD}backend${PLAIN}     http://127.0.0.1:8084"$'\n'
    users="  ${BOLD}users${PLAIN}       alice (acme)  bob (acme, admin)  carol (globex)  root (superadmin); password: demo"$'\n'
  fi
  cat <<END

${BOLD}${GREEN}The example $NAME is up.${PLAIN}

  ${BOLD}page${PLAIN}        http://127.0.0.1:8080
  ${BOLD}operations${PLAIN}  http://127.0.0.1:9090/readyz  http://127.0.0.1:9090/metrics
$backend$users
  ${BOLD}events${PLAIN}      $BIN/fanfare publish --config $CONFIG TYPE JSON
  ${BOLD}guide${PLAIN}       $EXAMPLE/README.md has each event with a line to paste
  ${BOLD}logs${PLAIN}        $LOGS/

Ctrl-C stops everything. ${DIM}Deleting $STATE starts afresh.${PLAIN}

END
}

configure
check_ports
build
# A build takes minutes, in which another process may have taken a port.
check_ports
start_all
welcome
watch_all
