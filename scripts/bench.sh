#!/usr/bin/env bash
# Runs the benchmarks: scripts/bench.sh [SCENARIO...]
set -euo pipefail
source "$(dirname "$0")/environment.sh"

scripts/setup.sh run
scripts/web.sh
cargo build --release --locked -p fanfare-fanout
cargo run --release --locked -p fanfare-bench -- "$@"
