#!/usr/bin/env bash
# Builds @fanfare/client into web/client/dist, if any of its sources is newer than the last build.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

built=web/client/dist/index.js
sources=(web/client/src web/client/package.json web/client/tsconfig.json web/tsconfig.json web/package-lock.json)
if [[ -f $built && -z $(find "${sources[@]}" -newer "$built" -print -quit) ]]; then
  exit 0
fi
say "Building @fanfare/client"
log=target/setup/client-build.log
mkdir -p "${log%/*}"
rm -rf web/client/dist
if ! npm run --silent build --prefix web/client >"$log" 2>&1; then
  cat "$log" >&2
  fail "@fanfare/client does not build."
fi
