#!/bin/sh
# Copies yt-cookies.txt to where Butakero's user, and nobody else, can read it; without
# one, takes away what an earlier run left. Nothing of it is printed.
set -eu
from=${1:-/from/yt-cookies.txt} to=${2:-/run/cookies/yt-cookies.txt} owner=${3:-65532:65532}
if [ ! -f "$from" ]; then
  [ ! -e "$from" ] || { echo "cookies: $from is not a file" >&2; exit 1; }
  rm -f "$to"
  echo 'cookies: there is no yt-cookies.txt; videos that need an account will be refused'
  exit 0
fi
umask 077
cat "$from" >"$to.new"
chmod 400 "$to.new"
chown "$owner" "$to.new"
mv -f "$to.new" "$to"
echo 'cookies: copied'
