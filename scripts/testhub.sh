#!/usr/bin/env bash
# Builds and runs the server for the functional tests of SignalR's clients, on FANFARE_TESTHUB_PORT (5000).
set -euo pipefail
source "$(dirname "$0")/environment.sh"

scripts/setup.sh build
cargo build --locked -p fanfare-testhub
exec "${CARGO_TARGET_DIR:-target}/debug/fanfare-testhub" "$@"
