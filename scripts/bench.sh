#!/usr/bin/env bash
# Runs the benchmarks: scripts/bench.sh [SCENARIO...]
set -euo pipefail
source "$(dirname "$0")/environment.sh"

scripts/setup.sh run
scripts/web.sh
say "Building the benchmarks (the first time takes some minutes)"
# All binaries of the package: the benchmark starts the others.
cargo build --release --locked -p fanfare-fanout -p fanfare-bench
exec target/release/fanfare-bench "$@"
