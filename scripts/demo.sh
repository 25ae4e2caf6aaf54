#!/usr/bin/env bash
# The guided run: builds, makes songs, and has the files read by the format's
# reference library.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p bin
CGO_ENABLED=0 GOWORK=off go build -trimpath -o bin/butakero ./cmd/butakero
bash scripts/setup.sh ffmpeg || echo "demo: without ffmpeg; the songs that need it are left out"
folder=${BUTAKERO_DEMO_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/butakero-demo-XXXXXX")}
bin/butakero demo --data-dir "$folder"
echo
echo "read by github.com/jonas747/dca, the format's reference library:"
go -C test run ./cmd/dcareference "$folder/audio-files/audio"
