#!/usr/bin/env bash
# Drives a real server from the OpenAPI file that it serves.
#   schemathesis.sh CACHE
# SCHEMATHESIS_EXAMPLES bounds the examples of each operation (20). Exits 75 if
# it can not run.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tool=$1/schemathesis/bin/schemathesis

can_not_run() {
  echo "CAN NOT RUN: $*"
  exit 75
}
[ -x "$tool" ] || can_not_run "schemathesis is not installed (make setup)"

scratch=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$scratch"
}
trap stop EXIT
fail() {
  echo "schemathesis.sh: $*"
  tail -n 40 "$scratch/log"
  exit 1
}

make -s build
BUTAKERO_RATE_PER_SECOND=0 bin/butakero up --source demo --data-dir "$scratch/data" --listen 127.0.0.1:0 >"$scratch/out" 2>"$scratch/log" &
server=$!
base=
for _ in $(seq 150); do
  base=$(sed -nE 's/^Butakero is up on (http.*)$/\1/p' "$scratch/out")
  [ -n "$base" ] && break
  kill -0 "$server" 2>/dev/null || fail "the server ended before it was up"
  sleep 0.1
done
[ -n "$base" ] || fail "the server was not up within 15 s"

# The file, and one song to ask for.
bin/butakero --server "$base" submit "luna de octubre" --wait >"$scratch/submit" 2>&1 || { cat "$scratch/submit"; fail "the first song failed"; }
python3 - "$base/api/v1/openapi.yaml" <<'P' || can_not_run "the server has no /api/v1/openapi.yaml"
import sys, urllib.request
sys.exit(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=10).status != 200)
P

# From the scratch folder: the tool keeps its examples and reports below itself.
(cd "$scratch" && NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 "$tool" --config-file "$root/test/openapi/schemathesis.toml" \
  run --seed 1 --max-examples "${SCHEMATHESIS_EXAMPLES:-20}" "$base/api/v1/openapi.yaml")
kill -0 "$server" 2>/dev/null || fail "the server did not survive"
if grep -qE 'panic|goroutine [0-9]+ \[' "$scratch/log"; then fail "the server panicked"; fi
