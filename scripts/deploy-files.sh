#!/usr/bin/env bash
# Checks Dockerfile, docker-compose.yml, deploy/ and k8s/ with the tools that setup.sh installs for it; only nginx and a
# node on the loopback address are started.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

if [[ ! -x $TOOLS/deploy/bin/python ]]; then
  warn "The checks of the deploy files are not there, as PyPI could not be reached: their tests are skipped."
  say "0 passed, 0 failed, $(cat tests/deploy/*_test.py | grep -c '^    def test_') skipped"
  exit 0
fi
exec "$TOOLS/deploy/bin/python" tests/deploy/run.py
