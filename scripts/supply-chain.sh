#!/usr/bin/env bash
# Checks the crates against deny.toml: licences, bans, sources, and known vulnerabilities if their list can be
# downloaded.
#
# cargo-deny takes minutes to compile, so it is optional; tests/workspace checks licences and versions as well.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

# The version for which deny.toml was written.
DENY_VERSION=0.20.2

export PATH="$TOOLS/cargo-deny/bin:$PATH"
if ! has cargo-deny; then
  warn "There is no cargo-deny, so deny.toml is not checked. To have it: cargo install --locked --root target/tools/cargo-deny cargo-deny@$DENY_VERSION"
  say "0 passed, 0 failed, 1 skipped"
  exit 0
fi
if ! cargo deny --log-level error check licenses bans sources; then
  say "0 passed, 1 failed"
  exit 1
fi
say "1 passed, 0 failed"
# A missing list is not our fault; a listed vulnerability is reported, and does not stop people who did not cause it.
cargo deny --log-level error check advisories || warn "Known faults could not be looked up, or there are some: see above."
