# shellcheck shell=bash
# The broker's own server for the demo: its ports, how it starts, and when it is ready. Sourced by run.sh, which sets
# STATE and LOGS.

# broker_ports BROKER: the server's ports; none for the embedded broker.
broker_ports() {
  case $1 in
    nats) echo 4222 ;;
    kafka) echo 9092 9093 ;;
  esac
}

# prepare_broker BROKER: writes the server's configuration, and creates its storage if there is none yet.
prepare_broker() {
  local folder=$STATE/server
  mkdir -p "$folder"
  case $1 in
    nats)
      cat >"$folder/server.conf" <<END
host: 127.0.0.1
port: 4222
jetstream { store_dir: "$ROOT/$folder" }
END
      ;;
    kafka)
      cat >"$folder/server.properties" <<END
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
advertised.listeners=PLAINTEXT://127.0.0.1:9092
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:9093
log.dirs=$ROOT/$folder/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=false
END
      [[ -e $folder/data/meta.properties ]] && return
      local cluster
      # Sixteen random bytes, as letters and digits.
      cluster=$(head -c 16 /dev/urandom | base64 | tr -d = | tr '+/' 'az')
      java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$TOOLS/kafka/*" \
        kafka.tools.StorageTool format --standalone -t "$cluster" -c "$folder/server.properties" \
        >"$LOGS/kafka-format.log" 2>&1 || fail "Kafka's storage could not be made; $LOGS/kafka-format.log says why."
      ;;
  esac
}

# broker_command BROKER: replaces this shell with the server.
broker_command() {
  case $1 in
    nats) exec "$TOOLS/nats/nats-server" --config "$STATE/server/server.conf" ;;
    kafka)
      # Warnings and errors, and the one line that means ready.
      local log=-Dorg.slf4j.simpleLogger
      exec java -Xms128m -Xmx512m -XX:+UseSerialGC "$log.defaultLogLevel=warn" "$log.showDateTime=true" \
        "$log.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX" "$log.log.kafka.server.KafkaRaftServer=info" \
        -cp "$TOOLS/kafka/*" kafka.Kafka "$STATE/server/server.properties"
      ;;
  esac
}

# broker_is_ready BROKER: whether the server has printed that it is ready.
broker_is_ready() {
  case $1 in
    nats) grep -q 'Server is ready' "$LOGS/nats.log" 2>/dev/null ;;
    kafka) grep -q 'Kafka Server started' "$LOGS/kafka.log" 2>/dev/null ;;
  esac
}

# broker_url BROKER: the URL for the services.
broker_url() {
  case $1 in
    nats) echo nats://127.0.0.1:4222 ;;
    kafka) echo kafka://127.0.0.1:9092 ;;
  esac
}
