#!/usr/bin/env bash
# Fuzzes every target for the given time and ends with one summary line.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
time=${1:-20s}
targets=0 failed=0
while read -r file name; do
  package=./$(dirname "$file")
  targets=$((targets + 1))
  printf '%s %s\n' "$package" "$name"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package" || failed=$((failed + 1))
done < <(grep -rnoE '^func (Fuzz[A-Za-z0-9_]+)' --include='*_test.go' internal | sed -E 's/:[0-9]+:func / /')
echo "fuzz: $targets targets, $time each, $failed failed"
[ "$failed" = 0 ] && [ "$targets" -gt 0 ]
