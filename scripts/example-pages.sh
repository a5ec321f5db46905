#!/usr/bin/env bash
# Builds the pages of all examples or of the named ones, if any of their sources is newer.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

names=("$@")
if ((${#names[@]} == 0)); then
  for page in examples/*/page/index.html; do
    name=${page%/page/index.html}
    names+=("${name##*/}")
  done
fi
checked=''
for name in "${names[@]}"; do
  page=examples/$name/page
  built=$page/dist/index.html
  [[ -f $page/index.html ]] || continue
  sources=("$page" examples/page examples/package-lock.json examples/tsconfig.json examples/vite.config.ts)
  if [[ -f $built && -z $(find "${sources[@]}" -path "$page/dist" -prune -o -newer "$built" -type f -print -quit) ]]; then
    continue
  fi
  say "Building the page of $name"
  log=target/setup/example-$name-build.log
  mkdir -p "${log%/*}"
  # One type check covers the pages of all examples.
  if [[ -z $checked ]] && ! npm run --silent typecheck --prefix examples >"$log" 2>&1; then
    cat "$log" >&2
    fail "The types of the examples' pages are wrong."
  fi
  checked=1
  if ! EXAMPLE=$name npm run --silent build --prefix examples >"$log" 2>&1; then
    cat "$log" >&2
    fail "The page of $name does not build."
  fi
done
