#!/usr/bin/env bash
# Checks Dockerfile, docker-compose.yml, deploy/ and k8s/ with what setup.sh has fetched for it; nothing is started but
# nginx and a node on the loopback address.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

if [[ ! -x $TOOLS/deploy/bin/python ]]; then
  warn "The checks of the deploy files are not there, as PyPI could not be reached: their tests are skipped."
  say "0 passed, 0 failed, $(cat tests/deploy/*_test.py | grep -c '^    def test_') skipped"
  exit 0
fi
exec "$TOOLS/deploy/bin/python" tests/deploy/run.py
