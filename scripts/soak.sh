#!/usr/bin/env bash
# The long tests: many seeded faults, and minutes of churn with the nodes' memory before and after.
#
#   FANFARE_FAULT_RUNS=20         runs per broker
#   FANFARE_SIMULATION_SEEDS=5000 seeds of the simulation
#   FANFARE_SOAK_SECONDS=300      how long each broker is soaked
#   FANFARE_SOAK_BROKERS=...      embedded, nats, kafka; all by default
set -euo pipefail
source "$(dirname "$0")/environment.sh"

scripts/setup.sh test
cargo build --workspace --exclude fanfare-testhub --bins --locked

say "Seeded faults, ${FANFARE_FAULT_RUNS:=20} runs for each broker, outages of a minute"
FAILED=0
FANFARE_FAULT_RUNS=$FANFARE_FAULT_RUNS FANFARE_OUTAGE_SECONDS=60 \
  cargo test --locked -p fanfare-e2e-tests --test faults -- --test-threads 1 || FAILED=1

say "A cluster of three NATS servers that are killed in turn"
cargo test --locked -p fanfare-broker --features nats,contract -- --ignored cluster || FAILED=1

say "A Kafka server that is killed fifty times under a reader"
cargo test --locked -p fanfare-broker --features kafka,contract -- --ignored --nocapture many_kills || FAILED=1

say "A Kafka cluster that loses two of its three servers"
cargo test --locked -p fanfare-outbox --test servers -- --ignored --nocapture too_few_replicas || FAILED=1
cargo test --locked -p fanfare-outbox --test rollback -- --ignored --nocapture half_a_minute || FAILED=1

say "${FANFARE_SIMULATION_SEEDS:=5000} other seeds of the simulation"
FANFARE_SIMULATION_SEEDS=$FANFARE_SIMULATION_SEEDS \
  cargo test --locked -p fanfare-fanout --lib -- --ignored nothing_is_lost_in_thousands_of_runs || FAILED=1

for broker in ${FANFARE_SOAK_BROKERS:-embedded nats kafka}; do
  say "Soaking $broker for ${FANFARE_SOAK_SECONDS:=300} s"
  FANFARE_SOAK_BROKER=$broker FANFARE_SOAK_SECONDS=$FANFARE_SOAK_SECONDS \
    cargo test --locked -p fanfare-e2e-tests --test faults -- --ignored --exact soak || FAILED=1
done
exit "$FAILED"
