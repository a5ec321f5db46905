#!/usr/bin/env bash
# Formatting and lints, without tests.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

scripts/setup.sh run
scripts/setup.sh lint
# The page is part of the fan-out's binary, which does not compile without it.
scripts/web.sh
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
# Without the test hub's feature, which a build of both enables for both.
cargo clippy -p fanfare-fanout --all-targets --locked -- -D warnings
scripts/supply-chain.sh
if has shellcheck; then
  shellcheck -x scripts/*.sh .ci/run
fi
