#!/usr/bin/env bash
# Drives a real server from its own OpenAPI file.
#   schemathesis.sh CACHE
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$1/schemathesis/bin/schemathesis
data=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$data"
}
trap stop EXIT
[ -x bin/butakero ] || make -s build
BUTAKERO_RATE_PER_SECOND=0 bin/butakero up --source demo --data-dir "$data" --listen 127.0.0.1:0 >"$data/out" 2>"$data/log" &
server=$!
for _ in $(seq 100); do
  base=$(sed -nE 's/^Butakero is up on (http.*)$/\1/p' "$data/out")
  [ -n "$base" ] && break
  kill -0 "$server" 2>/dev/null || { cat "$data/log"; exit 1; }
  sleep 0.1
done
bin/butakero --server "$base" submit "luna de octubre" --wait # so that there is a song to ask for
"$tool" --config-file test/openapi/schemathesis.toml run --seed 1 --max-examples "${SCHEMATHESIS_EXAMPLES:-20}" "$base/api/v1/openapi.yaml"
kill -0 "$server" # it must have survived
