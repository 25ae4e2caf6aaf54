#!/usr/bin/env bash
# Installs what the tests need. Repeatable; quick when all is there. What is
# built or fetched lies in a cache outside the checkout.
#   setup.sh          everything
#   setup.sh lint     the linter alone
#   setup.sh ffmpeg   ffmpeg alone
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${BUTAKERO_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/butakero}
mkdir -p "$cache/bin"
exec 9>"$cache/setup.lock"
flock 9

say() { printf 'setup: %s\n' "$*"; }

# debian PACKAGE... installs packages, or says how.
debian() {
  local run=()
  if ! command -v apt-get >/dev/null; then
    say "please install: $* (this system has no apt-get)"
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      say "please run: sudo apt-get install -y $*"
      return 1
    fi
    run=(sudo -n)
  fi
  say "apt-get install $*"
  "${run[@]}" apt-get update -qq
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$cache/apt.log" 2>&1 || {
    tail -20 "$cache/apt.log"
    return 1
  }
}

ffmpeg() { command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || debian ffmpeg; }

# tool NAME MODULE VERSION builds a Go program at a pinned version, once.
tool() {
  local name=$1 module=$2 version=$3 mark="$cache/bin/.$1-$3"
  [ -x "$cache/bin/$name" ] && [ -e "$mark" ] && return
  say "building $name $version (a few minutes, once)"
  (cd / && GOWORK=off GOFLAGS='' GOBIN="$cache/bin" go install "$module@$version")
  touch "$mark"
}

golangci() { tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0; }

# schemathesis drives the API from its OpenAPI file.
schemathesis() {
  local version=4.32.5 venv="$cache/schemathesis"
  [ -e "$venv/.done-$version" ] && return
  say "installing schemathesis $version"
  rm -rf "$venv"
  python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check "schemathesis==$version" && touch "$venv/.done-$version"
}

case ${1:-all} in
  lint) golangci ;;
  ffmpeg) ffmpeg ;;
  all)
    ffmpeg
    command -v opusenc >/dev/null || debian opus-tools
    golangci
    tool govulncheck golang.org/x/vuln/cmd/govulncheck v1.9.0
    schemathesis || say "schemathesis could not be installed: its check will be reported as not run"
    if [ -d test/cmd/corpus ]; then go -C test run ./cmd/corpus; fi
    ;;
  *)
    say "unknown part $1"
    exit 2
    ;;
esac
