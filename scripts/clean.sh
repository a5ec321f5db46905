#!/usr/bin/env bash
# Removes everything that was built or downloaded into this folder; the state of the demo platform stays.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

say "Removing target, built pages and node_modules; delete .fanfare to start the demo platform afresh"
rm -rf target web/dist web/.tests web/node_modules web/client/dist web/client/.tests web/client/examples/node_modules tests/clients/node_modules examples/node_modules examples/*/page/dist
