#!/usr/bin/env bash
# Makes yt-cookies.txt, a file of YouTube's cookies for COOKIES_YOUTUBE: from a
# cookies.txt that was exported from a browser, or from the browser itself.
# No cookie is printed, nothing but YouTube's is kept, and nothing else is left
# on the disk.
set -euo pipefail
umask 077

usage() {
  cat <<'HELP'
Usage: bash filter_youtube_cookies.sh [--browser NAME] [EXPORT] [OUTPUT]

Keeps YouTube's cookies of an export in the Netscape format (cookies.txt) and
writes them to OUTPUT (yt-cookies.txt), readable by you alone.

  EXPORT            a cookies.txt; - reads standard input. Without one the cookies
                    are taken from the browser, through yt-dlp.
  --browser NAME    chrome (default), firefox, chromium, edge, brave, opera, vivaldi
  -h, --help        this text

Sign in to YouTube in a private window, export, and close the window without
signing out: cookies of a window that goes on being used are soon replaced.

Examples:
  bash filter_youtube_cookies.sh
  bash filter_youtube_cookies.sh --browser firefox
  bash filter_youtube_cookies.sh ~/Downloads/cookies.txt
HELP
}

fail() {
  printf 'filter_youtube_cookies: %s\n' "$1" >&2
  exit "${2:-1}"
}

browser=chrome
words=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --browser) [ $# -ge 2 ] || fail '--browser needs a name' 2; browser=$2; shift ;;
    --browser=*) browser=${1#--browser=} ;;
    --) shift; words+=("$@"); break ;;
    -) words+=(-) ;;
    -*) fail "unknown option $1; see --help" 2 ;;
    *) words+=("$1") ;;
  esac
  shift
done
[ ${#words[@]} -le 2 ] || fail 'too many arguments; see --help' 2
case $browser in
  chrome | firefox | chromium | edge | brave | opera | vivaldi) ;;
  *) fail "unknown browser $browser; see --help" 2 ;;
esac
input=${words[0]:-}
output=${words[1]:-yt-cookies.txt}
folder=$(dirname -- "$output")
[ -d "$folder" ] && [ -w "$folder" ] || fail "the folder of $output can not be written"
[ ! -d "$output" ] || fail "$output is a folder"

# Everything that is not finished lies in one private folder, which goes on any end.
# Its name is known before it is made, so that no moment is without an owner.
work="$folder/.yt-cookies-$$-$RANDOM$RANDOM"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -- "$work" || fail "no room beside $output"

if [ -z "$input" ]; then
  command -v yt-dlp >/dev/null || fail 'yt-dlp is needed to read a browser; or name an exported cookies.txt (see --help)'
  yt-dlp --ignore-config --cookies-from-browser "$browser" --cookies "$work/all" --skip-download --simulate \
    https://www.youtube.com/robots.txt >/dev/null 2>&1 || true # it has no video to show; the cookies count
  [ -s "$work/all" ] || fail "no cookies could be read from $browser: close it, or export a cookies.txt from it"
elif [ "$input" = - ]; then
  cat >"$work/all"
else
  [ -r "$input" ] && [ -f "$input" ] || fail "$input can not be read"
  cat -- "$input" >"$work/all"
fi

# The format has seven fields between tabs; a domain with #HttpOnly_ before it is no
# comment. Problems are told by exit code, so that no line of the file is printed.
status=0
awk -v now="$(date +%s)" -v out="$work/kept" '
  BEGIN { FS = "\t"; print "# Netscape HTTP Cookie File" > out }
  NR == 1 { sub(/^\xef\xbb\xbf/, "") }
  { sub(/\r$/, "") }
  !begun && /^[ \t]*$/ { next }
  !begun { begun = 1; if ($0 ~ /^[ \t]*[\[{]/) { code = 10; exit } ; if ($0 !~ /^# (Netscape )?HTTP Cookie File/) { code = 11; exit } }
  { line = $0; domain = $1; sub(/^#HttpOnly_/, "", domain) }
  line !~ /^#HttpOnly_/ && line ~ /^#/ { next }
  line ~ /^[ \t]*$/ { next }
  NF != 7 { code = 12; exit }
  { sub(/^\./, "", domain); domain = tolower(domain) }
  domain != "youtube.com" && domain !~ /\.youtube\.com$/ { next }
  $5 > 0 && $5 <= now { old++; next }
  {
    print line > out; count++
    if ($7 != "" && $6 == "LOGIN_INFO") login = 1
    if ($7 != "" && ($6 == "SAPISID" || $6 == "__Secure-1PAPISID" || $6 == "__Secure-3PAPISID")) key = 1
    if ($5 > 0 && ($6 ~ /^(__Secure-[13]P)?(APISID|SID|SAPISID)$/ || $6 == "LOGIN_INFO") && (!first || $5 < first)) first = $5
  }
  END {
    close(out)
    if (!code && !count) code = old ? 14 : 13
    if (!code) printf "%d %d %.0f\n", count, login && key, first
    exit code
  }
' "$work/all" >"$work/facts" || status=$?
rm -f -- "$work/all"
case $status in
  0) ;;
  10) fail 'this is a JSON export; export in the Netscape format (cookies.txt) instead' ;;
  11) fail 'this is no cookies.txt: its first line should be # Netscape HTTP Cookie File' ;;
  12) fail 'a line of this cookies.txt does not have seven fields between tabs: was it edited, or pasted?' ;;
  13) fail 'there is no cookie of YouTube in it' ;;
  14) fail 'the cookies of YouTube in it have expired; export them anew' ;;
  *) fail 'the cookies could not be read' ;;
esac
read -r count signed first <"$work/facts"

chmod 600 "$work/kept"
mv -f -- "$work/kept" "$output"

# What was written is what is looked at.
[ "$(grep -c -v -e '^# ' -- "$output")" = "$count" ] || fail "$output is not whole"
printf '%s: %d cookies of YouTube' "$output" "$count"
[ "$first" -eq 0 ] || printf ', the session ends on %s' "$(date -u -d "@$first" +%F 2>/dev/null || date -u -r "$first" +%F)"
printf '\n'
[ "$signed" -eq 1 ] || fail "nobody is signed in with these cookies: sign in to YouTube in the browser, and export them again" 3
printf 'Set COOKIES_YOUTUBE=%s, and look at: butakero config check\n' "$(cd -- "$folder" && pwd)/$(basename -- "$output")"
