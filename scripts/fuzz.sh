#!/usr/bin/env bash
# Fuzzes the code that parses foreign bytes, the hub protocol's codec and event bodies: each target for this many
# seconds (SECONDS_EACH, default 300).
#
# Coverage comes from the compiler's own passes, so the stable toolchain is enough. There is no address sanitizer: it
# would need a nightly toolchain, and the code has no unsafe parts.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

EACH=${SECONDS_EACH:-300}
TARGET=$(rustc -vV | sed -n 's/^host: //p')
OUT=$PWD/target/fuzz

export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
 -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
RUSTFLAGS=${RUSTFLAGS//$'\n'/}
for manifest in crates/*/fuzz/Cargo.toml; do
  CARGO_TARGET_DIR=$OUT cargo build --quiet --release --locked --manifest-path "$manifest" --target "$TARGET"
done

failed=0
targets=(crates/*/fuzz/fuzz_targets/*.rs)
for source in "${targets[@]}"; do
  name=$(basename "$source" .rs)
  mkdir -p "$OUT/corpus/$name" "$OUT/crashes"
  log=$OUT/$name.log
  say "fuzzing $name for $EACH s"
  if "$OUT/$TARGET/release/$name" "$OUT/corpus/$name" -max_total_time="$EACH" -max_len=65536 -rss_limit_mb=1024 \
    -artifact_prefix="$OUT/crashes/$name-" -print_final_stats=1 >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    say "$name: ${runs:-no} inputs, none broke it"
  else
    tail -n 30 "$log" >&2
    say "$name: an input broke it; it is kept in target/fuzz/crashes"
    failed=$((failed + 1))
  fi
done
say "$((${#targets[@]} - failed)) passed, $failed failed"
exit $((failed > 0))
