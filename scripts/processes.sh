# shellcheck shell=bash
# The processes of a platform: started in order, watched, and ended on Ctrl-C or SIGTERM. Sourced by run.sh and example.sh.
#
# They set GROUPS_IN_ORDER, BROKER, STATE and LOGS, and define for each service the functions `ports`, `start_command`
# and `is_ready`.

answers() { curl -sf -o /dev/null --max-time 2 "$1"; }

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
      # Warnings of the broker's server itself, such as an empty log, do not interest users of a demo.
      *' WARN '*) [[ $1 == "$BROKER" ]] || printf '%s%-8s%s %s%s%s\n' "$BOLD" "$1" "$PLAIN" "$YELLOW" "$line" "$PLAIN" >&4 ;;
    esac
  done >"$LOGS/$1.log"
}

start() {
  (start_command "$1" 4>&-) > >(watch_log "$1") 2>&1 &
  PIDS[$1]=$!
}

# The last output of the service, and the end of everything.
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

# A sleep that a signal interrupts, unlike a plain one.
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

# end_before DEADLINE SERVICE...: asks the services to end, and kills those still running at the deadline.
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

# Ends everything within 8 seconds; the broker's server last, so that no service loses it.
stop() {
  trap '' INT TERM HUP
  local service services=() began=$SECONDS
  for service in "${!PIDS[@]}"; do
    [[ $service == "$BROKER" ]] || services+=("$service")
  done
  end_before $((began + 6)) "${services[@]}"
  [[ -z ${PIDS[$BROKER]:-} ]] || end_before $((began + 8)) "$BROKER"
}

# A signal to the whole group arrives twice: from its sender, and from make.
interrupted() {
  [[ -z $STOPPING ]] || return 0
  STOPPING=1
  say
  say "Stopping"
  stop
  say "Stopped; the state stays in $STATE"
  exit 0
}

# Starts the groups, each when the one before it is ready.
start_all() {
  local group service
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
}

# Waits until a service ends, which ends everything.
watch_all() {
  while true; do
    any_died
    pause 0.5
  done
}
