#!/usr/bin/env bash
# Runs the benchmarks: scripts/bench.sh [SCENARIO...], or with one name in the variable SCENARIO.
#
# Options come before the names: --pairs 5 measures figures for publication, --list lists the scenarios.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

scripts/setup.sh run
scripts/setup.sh build
# The measured binary is the shipped one, including the page.
scripts/web.sh
say "Building the release binaries"
cargo build --release --locked -p fanfare-fanout -p fanfare-bench

# Every tab is an open file here and another one in the node.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
# shellcheck disable=SC2086 # several names in SCENARIO are several scenarios
exec "${CARGO_TARGET_DIR:-target}/release/fanfare-bench" "$@" ${SCENARIO:-}
