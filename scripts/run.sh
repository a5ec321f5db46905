#!/usr/bin/env bash
# Builds and starts the whole demo platform, and ends it on Ctrl-C or SIGTERM.
#
# One process for each service. State and logs are in .fanfare/{broker}/; warnings are also shown here. If one
# service ends, all do.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

BROKER=${BROKER:-embedded}
case $BROKER in
  embedded) ;;
  nats | kafka)
    warn "BROKER=$BROKER comes later; this version has BROKER=embedded, which is the default."
    exit 2
    ;;
  *)
    warn "There is no broker $BROKER; BROKER is embedded, which is the default."
    exit 2
    ;;
esac

STATE=.fanfare/$BROKER
LOGS=$STATE/logs
BIN=target/release

# Name, ports and readiness of each service.
SERVICES=(auth fanout license export)
ports() {
  case $1 in
    fanout) echo 8080 9090 ;;
    auth) echo 8081 ;;
    license) echo 8082 ;;
    export) echo 8083 ;;
  esac
}
ready_url() {
  case $1 in
    fanout) echo http://127.0.0.1:9090/readyz ;;
    *) echo "http://127.0.0.1:$(ports "$1")/readyz" ;;
  esac
}
start_command() {
  case $1 in
    fanout) exec "$BIN/fanfare" serve --config demo/fanfare.toml ;;
    *) FANFARE_DATA=$STATE/$1 FANFARE_DEMO_USERS=true exec "$BIN/fanfare-$1" ;;
  esac
}

check_ports() {
  local service port
  for service in "${SERVICES[@]}"; do
    for port in $(ports "$service"); do
      if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        fail "Port $port, which the $service service needs, is in use; \`ss -ltnp 'sport = :$port'\` tells by whom."
      fi
    done
  done
}

build() {
  scripts/setup.sh run
  scripts/web.sh
  say "Building the services (the first time takes some minutes)"
  cargo build --release --locked -p fanfare-fanout -p fanfare-auth -p fanfare-license -p fanfare-export
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
      *' WARN '*) printf '%s%-8s%s %s%s%s\n' "$BOLD" "$1" "$PLAIN" "$YELLOW" "$line" "$PLAIN" >&4 ;;
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
  until curl -sf -o /dev/null --max-time 2 "$(ready_url "$1")"; do
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

# Ends every service: asks first, waits 8 seconds, then kills.
stop() {
  trap '' INT TERM HUP
  local service deadline=$((SECONDS + 8))
  for service in "${!PIDS[@]}"; do
    kill -TERM "${PIDS[$service]}" 2>/dev/null || true
  done
  for service in "${!PIDS[@]}"; do
    while kill -0 "${PIDS[$service]}" 2>/dev/null; do
      if ((SECONDS >= deadline)); then
        warn "The $service service did not stop in time and is killed."
        kill -KILL "${PIDS[$service]}" 2>/dev/null || true
        break
      fi
      sleep 0.05
    done
  done
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
# In any order they would find each other in the end, but first warn that a service they ask for its keys is not there.
for group in auth 'license export' fanout; do
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
