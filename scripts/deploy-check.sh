#!/usr/bin/env bash
# Runs every check of the deployment that takes long or needs large tools: real control
# plane, real KEDA, images, compose, Terraform. Ends with one line that sums up and the
# list of what was not run, and why; fails when a check failed or could not begin.
#   deploy-check.sh [go test arguments]      e.g. -run TestDeploy
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

folders=(terraform helm image compose kube autoscale consistency)
parts=(terraform helm docker kube servers) # of the set-up, where they are there
log=$(mktemp)
trap 'rm -f "$log"' EXIT
began=$SECONDS
lacking=()

for part in "${parts[@]}"; do
  [ "$part" = servers ] || [ -e "scripts/setup.d/$part.sh" ] || continue
  bash scripts/setup.sh "$part" || lacking+=("$part")
done

packages=() absent=()
for folder in "${folders[@]}"; do
  if [ -d "test/$folder" ]; then packages+=("./$folder/..."); else absent+=("$folder"); fi
done

go -C test test -tags deploycheck -count=1 -timeout 60m -p 1 -v "$@" "${packages[@]}" 2>&1 | tee "$log" | grep -v '^=== \|^ *    --- PASS\|no test files\]\|no tests to run'
code=${PIPESTATUS[0]}

passed=$(grep -c '^--- PASS' "$log")
failed=$(grep -c '^--- FAIL' "$log")
skipped=$(grep -c '^ *--- SKIP' "$log")
echo
echo 'not run:'
{
  # What tests say of themselves, as "NOT RUN: what: why".
  sed -n '/deploy: NOT RUN/!s/.*NOT RUN: /NOT RUN: /p' "$log" | sort -u
  for part in "${lacking[@]}"; do echo "NOT RUN: what needs the part $part of the set-up: it could not be installed"; done
  for folder in "${absent[@]}"; do echo "NOT RUN: test/$folder: it is not in this checkout"; done
  grep -A 3 '^ *--- SKIP' "$log" | grep -v '^--$' | sed 's/^ */  /'
} | sed 's/^NOT RUN: /  /'
[ ${#lacking[@]} = 0 ] && [ ${#absent[@]} = 0 ] || code=1
[ "$code" = 0 ] && verdict=passed || verdict=FAILED
echo "deploy-check $verdict: $passed tests passed, $failed failed, $skipped skipped, in $((SECONDS - began)) s"
exit "$code"
