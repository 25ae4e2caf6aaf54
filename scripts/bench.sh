#!/usr/bin/env bash
# Measures, prints the tables and writes them to docs/benchmarks.md. Figures of
# one run stand beside each other; compare ratios, not machines. DISPATCH_FLAGS
# (such as "-runs 1 -waiting 0") and ENGINE_FLAGS ("-runs 1 -idle-for 0") shorten the
# second and third part.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${BUTAKERO_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/butakero}
music=$(find "$cache" -name 'hr3-*.ogg' 2>/dev/null | sort | head -1)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
{
  echo "# Benchmarks"
  echo
  echo "The last table of \`make bench\`: $(date -u +%Y-%m-%d), $(nproc) cores ($(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -1)), $(go version | cut -d' ' -f3),"
  echo "$(ffmpeg -version | head -1 | cut -d' ' -f1-3). Ratios are taken in one run, medians; trust them more than the absolute figures."
  echo
  echo "## Audio"
  echo
  go -C test run ./cmd/audiobench ${music:+"$music"}
  echo
  echo "## Dispatch on the embedded engines"
  echo
  # shellcheck disable=SC2086 # flags are words
  go -C test run ./cmd/dispatchbench ${DISPATCH_FLAGS:-}
  echo
  echo "## Dispatch on the distributed engines"
  echo
  # shellcheck disable=SC2086 # flags are words
  go -C test run ./cmd/enginebench ${ENGINE_FLAGS:-}
} | tee "$out"
cp "$out" docs/benchmarks.md
