#!/usr/bin/env bash
# Builds and starts the whole demo platform, and ends it on Ctrl-C or SIGTERM.
#
# One process for each service. State and logs are in .fanfare/{broker}/; warnings are also shown here. If one
# service ends, all do.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

source scripts/demo-broker.sh

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

# What is started, in this order: each group when the one before it is ready. In any order they would find each other in
# the end, but first warn that a service they ask for its keys is not there.
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
answers() { curl -sf -o /dev/null --max-time 2 "$1"; }
start_command() {
  case $1 in
    fanout) exec "$BIN/fanfare" serve --config "$CONFIG" ;;
    nats | kafka) broker_command "$1" ;;
    *) FANFARE_DATA=$STATE/$1 FANFARE_DEMO_USERS=true exec "$BIN/fanfare-$1" ;;
  esac
}

check_ports() {
  local group service port
  for group in "${GROUPS_IN_ORDER[@]}"; do
    for service in $group; do
      for port in $(ports "$service"); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
          fail "Port $port, which the $service service needs, is in use; \`ss -ltnp 'sport = :$port'\` tells by whom."
        fi
      done
    done
  done
}

# Builds with the profile for a demo and puts the programs where those of a release build would be.
build() {
  local built=${CARGO_TARGET_DIR:-target}/demo features=nats program
  # Kafka's client is C that takes as long to compile as a good part of the rest.
  [[ $BROKER != kafka ]] || features=nats,kafka
  scripts/setup.sh run "$BROKER"
  scripts/web.sh
  say "Building the services (the first time takes some minutes)"
  cargo build --profile demo --locked --no-default-features --features "$features" \
    -p fanfare-fanout -p fanfare-auth -p fanfare-license -p fanfare-export
  mkdir -p "$BIN"
  for program in fanfare fanfare-auth fanfare-license fanfare-export; do
    # In place of what is there and never into it: cargo's own file may be the same, or still run.
    cp --remove-destination "$built/$program" "$BIN/$program"
  done
}

# The processes by service, started and not yet ended.
declare -A PIDS=()
STOPPING=''

# Writes standard input to the service's log and shows its warnings; ends when the service has closed its output.
watch_log() {
  trap '' INT TERM HUP
  local line
  while IFS= read -r line; do
    printf '%s\n' "$line"
    case $line in
      *' ERROR '*) printf '%s%-8s%s %s%s%s\n' "$BOLD" "$1" "$PLAIN" "$RED" "$line" "$PLAIN" >&4 ;;
      # What warns a server of its own, such as a log that is empty, is no news to who runs a demo.
      *' WARN '*) [[ $1 == "$BROKER" ]] || printf '%s%-8s%s %s%s%s\n' "$BOLD" "$1" "$PLAIN" "$YELLOW" "$line" "$PLAIN" >&4 ;;
    esac
  done >"$LOGS/$1.log"
}

start() {
  (start_command "$1" 4>&-) > >(watch_log "$1") 2>&1 &
  PIDS[$1]=$!
}

# What the service said last, and the end of everything.
died() {
  local status=0
  wait "${PIDS[$1]}" || status=$?
  unset "PIDS[$1]"
  warn "The $1 service ended with status $status. Its last lines, from $LOGS/$1.log:"
  sleep 0.2
  tail -n 20 "$LOGS/$1.log" | sed 's/^/  /' >&2
  stop
  exit 1
}

any_died() {
  local service
  for service in "${!PIDS[@]}"; do
    kill -0 "${PIDS[$service]}" 2>/dev/null || died "$service"
  done
}

# A sleep that a signal interrupts, which a plain sleep does not.
pause() {
  sleep "$1" &
  wait $! || true
}

wait_until_ready() {
  local deadline=$((SECONDS + 60))
  until is_ready "$1"; do
    any_died
    if ((SECONDS > deadline)); then
      warn "The $1 service is not ready after a minute. Its last lines, from $LOGS/$1.log:"
      tail -n 20 "$LOGS/$1.log" | sed 's/^/  /' >&2
      stop
      exit 1
    fi
    pause 0.2
  done
}

# end_before DEADLINE SERVICE...: asks the services to end, and kills those that are still there at the deadline.
end_before() {
  local service deadline=$1
  shift
  for service in "$@"; do
    kill -TERM "${PIDS[$service]}" 2>/dev/null || true
  done
  for service in "$@"; do
    while kill -0 "${PIDS[$service]}" 2>/dev/null; do
      if ((SECONDS >= deadline)); then
        warn "The $service service did not stop in time and is killed."
        kill -KILL "${PIDS[$service]}" 2>/dev/null || true
        break
      fi
      sleep 0.05
    done
    unset "PIDS[$service]"
  done
}

# Ends everything within 8 seconds; the broker's server last, so that nobody misses it.
stop() {
  trap '' INT TERM HUP
  local service services=() began=$SECONDS
  for service in "${!PIDS[@]}"; do
    [[ $service == "$BROKER" ]] || services+=("$service")
  done
  end_before $((began + 6)) "${services[@]}"
  [[ -z ${PIDS[$BROKER]:-} ]] || end_before $((began + 8)) "$BROKER"
}

# A signal to the whole group comes twice: from its sender, and from make.
interrupted() {
  [[ -z $STOPPING ]] || return 0
  STOPPING=1
  say
  say "Stopping"
  stop
  say "Stopped; the state stays in $STATE"
  exit 0
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
# A build takes minutes, in which somebody may have taken a port.
check_ports
mkdir -p "$LOGS"
trap interrupted INT TERM HUP
exec 4>&1
prepare_broker "$BROKER"
for group in "${GROUPS_IN_ORDER[@]}"; do
  for service in $group; do
    start "$service"
  done
  for service in $group; do
    wait_until_ready "$service"
  done
done
welcome
while true; do
  any_died
  pause 0.5
done
