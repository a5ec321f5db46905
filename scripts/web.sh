#!/usr/bin/env bash
# Builds the web page into web/dist, if any of its sources is newer than the last build.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

page=web/dist/index.html
sources=(web/src web/public web/index.html web/package.json web/package-lock.json web/tsconfig.json web/vite.config.ts)
if [[ -f $page && -z $(find "${sources[@]}" -newer "$page" -print -quit) ]]; then
  exit 0
fi
say "Building the web page"
log=target/setup/web-build.log
mkdir -p "${log%/*}"
if ! npm run --silent build --prefix web >"$log" 2>&1; then
  cat "$log" >&2
  fail "The web page does not build."
fi
