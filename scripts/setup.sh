#!/usr/bin/env bash
# Installs what the tests need. Repeatable, and quick when all is there. What is
# built or fetched lies in a cache outside the checkout, each tool with a marker
# that names its version; two runs at once wait for each other.
#   setup.sh          everything; exits 1 and names what could not be installed
#   setup.sh lint     the linter alone
#   setup.sh ffmpeg   ffmpeg alone
#   setup.sh opus     opus-tools alone
#   setup.sh ytdlp    yt-dlp alone, with its JavaScript runtime
#   setup.sh PART     a part of setup.d alone
#   setup.sh servers  what the real engines run on: java, maven, npm, python3, libcurl4
# BUTAKERO_TEST_CACHE is the cache (default: butakero below XDG_CACHE_HOME or ~/.cache).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

golangci_version=v2.15.0
govulncheck_version=v1.9.0
schemathesis_version=$(sed -n 's/^schemathesis==//p' scripts/schemathesis.txt)
ytdlp_version=2026.10.26
ytdlp_ejs_version=0.8.0
deno_version=2.9.8

cache=${BUTAKERO_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/butakero}
mkdir -p "$cache/bin" || exit 1
export BUTAKERO_TEST_CACHE=$cache # for what makes the music
missing=()

say() { printf 'setup: %s\n' "$*"; }

# locked COMMAND... runs it while nobody else installs. The lock is not handed on
# to what the command starts.
locked() {
  if command -v flock >/dev/null; then
    (
      exec 9>"$cache/setup.lock"
      flock -n 9 || { say "waiting for another set-up"; flock 9; }
      "$@" 9>&-
    )
  else
    "$@"
  fi
}

# debian PACKAGE... installs packages, or says how.
debian() {
  local run=()
  if ! command -v apt-get >/dev/null; then
    say "please install with your system's package manager: $*"
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
  local log=$cache/apt.log
  # With the lists that are there first; they are often there, and an update is slow.
  apt() { "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" </dev/null >>"$log" 2>&1; }
  : >"$log"
  apt install -y -qq --no-install-recommends "$@" || { apt update -qq && apt install -y -qq --no-install-recommends "$@"; } || {
    tail -n 20 "$log"
    say "please run: apt-get install -y $*"
    return 1
  }
}

has_ffmpeg() { command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null; }
ffmpeg() { has_ffmpeg || locked debian ffmpeg && has_ffmpeg; }

has_opus() { command -v opusenc >/dev/null && command -v opusdec >/dev/null; }
opus() { has_opus || locked debian opus-tools && has_opus; }

# The race detector is linked by a C compiler.
has_cc() { command -v "${CC:-gcc}" >/dev/null || command -v clang >/dev/null; }
cc() { has_cc || locked debian gcc libc6-dev && has_cc; }

# tool NAME MODULE VERSION builds a Go program at a pinned version, once. The
# marker goes before the program does, so that it never speaks of another version.
tool() {
  [ -x "$cache/bin/$1" ] && [ -e "$cache/bin/.$1-$3" ] && return
  locked install_tool "$@"
}

install_tool() {
  local name=$1 module=$2 version=$3 stage
  [ -x "$cache/bin/$name" ] && [ -e "$cache/bin/.$name-$version" ] && return # while we waited
  say "building $name $version (some minutes, once)"
  stage=$(mktemp -d "$cache/stage-XXXXXX") || return 1
  if (cd "$stage" && GOWORK=off GOFLAGS='' GOBIN="$stage" CGO_ENABLED=0 go install "$module@$version") >"$cache/$name.log" 2>&1; then
    rm -f "$cache/bin/.$name-"*
    mv -f "$stage/$name" "$cache/bin/$name" && touch "$cache/bin/.$name-$version"
  else
    tail -n 5 "$cache/$name.log"
    say "$name $version could not be built; it needs the Go module proxy once"
    rm -rf "$stage"
    return 1
  fi
  rm -rf "$stage"
}

golangci() { tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint "$golangci_version"; }
govulncheck() { tool govulncheck golang.org/x/vuln/cmd/govulncheck "$govulncheck_version"; }

# schemathesis drives the API from its OpenAPI file.
has_schemathesis() { [ -e "$cache/schemathesis/.done-$schemathesis_version" ] && "$cache/schemathesis/bin/python" -c '' 2>/dev/null; }
schemathesis() { has_schemathesis || locked install_schemathesis; }

install_schemathesis() {
  local venv="$cache/schemathesis" log="$cache/schemathesis.log"
  has_schemathesis && return # while we waited
  say "installing schemathesis $schemathesis_version"
  command -v python3 >/dev/null || debian python3 || return 1
  rm -rf "$venv"
  : >"$log"
  python3 -m venv "$venv" >>"$log" 2>&1 || { rm -rf "$venv"; debian python3-venv && python3 -m venv "$venv" >>"$log" 2>&1; } || {
    tail -n 5 "$log"
    return 1
  }
  "$venv/bin/pip" install -q --disable-pip-version-check -c scripts/schemathesis.txt "schemathesis==$schemathesis_version" >>"$log" 2>&1 </dev/null || {
    tail -n 5 "$log"
    return 1
  }
  touch "$venv/.done-$schemathesis_version"
}

# ytdlp gets songs of its own accord; the tests run the real one. Its parts are named
# one by one: with the extra [default] pip silently falls back to an older release.
has_ytdlp() { [ -e "$cache/ytdlp/.done-$ytdlp_version" ] && "$cache/ytdlp/bin/python" -c 'import yt_dlp, yt_dlp_ejs' 2>/dev/null; }
ytdlp() { has_ytdlp || locked install_ytdlp; }

install_ytdlp() {
  local venv="$cache/ytdlp" log="$cache/ytdlp.log"
  has_ytdlp && return # while we waited
  say "installing yt-dlp $ytdlp_version (170 MB with its JavaScript runtime, once)"
  command -v python3 >/dev/null || debian python3 || return 1
  rm -rf "$venv"
  : >"$log"
  python3 -m venv "$venv" >>"$log" 2>&1 || { rm -rf "$venv"; debian python3-venv && python3 -m venv "$venv" >>"$log" 2>&1; } || {
    tail -n 5 "$log"
    return 1
  }
  "$venv/bin/pip" install -q --disable-pip-version-check "yt-dlp==$ytdlp_version" "yt-dlp-ejs==$ytdlp_ejs_version" "deno==$deno_version" \
    brotli mutagen pycryptodomex requests urllib3 websockets certifi >>"$log" 2>&1 </dev/null || {
    tail -n 5 "$log"
    return 1
  }
  touch "$venv/.done-$ytdlp_version"
}

# corpus makes or fetches the music of the tests, where that part is there.
corpus() {
  [ -d test/cmd/corpus ] || return 0
  go -C test run ./cmd/corpus
}

# servers are the real engines of the tests; what runs them comes from here, they
# themselves from where the tests start them.
has_servers() { command -v java >/dev/null && command -v mvn >/dev/null && command -v npm >/dev/null && command -v python3 >/dev/null && ldconfig -p 2>/dev/null | grep -q libcurl.so.4; }
servers() {
  has_servers && return
  local lacking=()
  command -v java >/dev/null || lacking+=(default-jre-headless)
  command -v mvn >/dev/null || lacking+=(maven)
  command -v npm >/dev/null || lacking+=(nodejs npm)
  command -v python3 >/dev/null || lacking+=(python3 python3-pip)
  ldconfig -p 2>/dev/null | grep -q libcurl.so.4 || lacking+=(libcurl4)
  locked debian "${lacking[@]}" && has_servers
}

# Each file of setup.d installs what one part of the tests needs: it defines functions
# like the ones above and adds to parts a line "function description" for each.
parts=()
for part in scripts/setup.d/*.sh; do
  # shellcheck source=/dev/null # one of several
  [ -e "$part" ] && . "$part"
done

want() {
  "$1" || missing+=("$2")
}

main() {
  local part known=
  case ${1:-all} in
    ffmpeg) want ffmpeg ffmpeg ;;
    opus) want opus opus-tools ;;
    ytdlp) want ytdlp "yt-dlp $ytdlp_version" ;;
    servers) want servers "java, maven, npm, python3 and libcurl4" ;;
    lint) want golangci "golangci-lint $golangci_version" ;;
    all)
      want ffmpeg ffmpeg
      want opus opus-tools
      want cc "a C compiler"
      want golangci "golangci-lint $golangci_version"
      want govulncheck "govulncheck $govulncheck_version"
      want schemathesis "schemathesis $schemathesis_version"
      want ytdlp "yt-dlp $ytdlp_version"
      want servers "java, maven, npm, python3 and libcurl4"
      want corpus "the corpus of music"
      for part in "${parts[@]}"; do want "${part%% *}" "${part#* }"; done
      ;;
    *)
      for part in "${parts[@]}"; do
        [ "${part%% *}" = "$1" ] || continue
        want "$1" "${part#* }"
        known=yes
      done
      [ "$known" ] || {
        say "unknown part $1 (all, lint, ffmpeg, opus, ytdlp, servers${parts:+, of setup.d: ${parts[*]%% *}})"
        return 2
      }
      ;;
  esac
  if [ ${#missing[@]} -gt 0 ]; then
    for m in "${missing[@]}"; do say "NOT INSTALLED: $m"; done
    return 1
  fi
}

main "$@"; exit # on one line: this file may change while it runs
