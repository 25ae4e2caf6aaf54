#!/usr/bin/env bash
# The guided run: builds, makes songs, and has the files read by the format's
# reference library. Exits 1 if any of its checks fails.
#   demo.sh [FOLDER]    FOLDER keeps the data; a fresh temporary one otherwise
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/setup.sh ffmpeg || echo "demo: going on without ffmpeg; the songs that need it are left out"
make -s build
folder=${1:-$(mktemp -d "${TMPDIR:-/tmp}/butakero-demo-XXXXXX")}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
bin/butakero demo --data-dir "$folder"
echo
echo "read by github.com/jonas747/dca, the format's reference library:"
go -C test run ./cmd/dcareference "$folder/audio-files/audio"
