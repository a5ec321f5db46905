# Sums up the results in a step's log: prints how many tests passed, failed and were skipped.
#
# It reads the output of cargo test and node --test, the latter in either of its forms, and the last line of other
# runners.

/^test result:/ { passed += $4; failed += $6 }
/^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { passed += $1; failed += $3; skipped += $5 }
/^(#|ℹ) pass [0-9]+$/ { passed += $3 }
/^(#|ℹ) fail [0-9]+$/ { failed += $3 }
/^(#|ℹ) skipped [0-9]+$/ { skipped += $3 }
# A Rust test that finds its server missing reports that and ends, which its runner counts as passed. If tests run one
# after another, the runner has started the line with the test's name.
/skipped test: / { passed--; skipped++ }
END { print passed + 0, failed + 0, skipped + 0 }
