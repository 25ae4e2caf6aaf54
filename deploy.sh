#!/usr/bin/env bash
# Puts Butakero and what it runs on into a Kubernetes cluster: the one that kubectl
# points at. Repeatable: what is already as it should be is left alone.
#
#   bash deploy.sh [options]
#     --only LIST       these components alone, by commas
#     --skip LIST       all but these
#     --dry-run         say what would be done, have the server check what it can, change nothing
#     --demo            songs that come with Butakero instead of YouTube, no key; makes one to verify
#     --values FILE     further values for the chart of Butakero (may be repeated)
#     --charts FOLDER   take charts from a folder (NAME-VERSION.tgz or NAME/), never from the internet
#     --context NAME    another context of kubectl's
#     --timeout TIME    how long each component may take to become ready (10m)
#     --no-verify       leave out the requests to the API at the end
#     --uninstall       take components away again; data, secrets and namespaces stay
#     --purge           with --uninstall: the namespaces too, with everything in them
#
# Components, in their order: cert-manager, mongodb, kafka, monitoring, keda, backend.
# The Secret backend-secret (namespace backend) has to be there, or what it can be made
# of: deploy/kubernetes/secret.yaml (see secret.example.yaml; git ignores it), or the
# environment variables YOUTUBE_API_KEY, MONGO_USER and MONGO_PASSWORD, with the cookies
# in yt-cookies.txt. Passwords that nobody gave are drawn at random, in the cluster only.
#
# Ends with 0; 1 when something failed; 2 when it was called wrongly; 3 when something
# that was asked for could not be run, which is named (NOT RUN).
set -euo pipefail
from=$PWD
cd "$(dirname "$0")"

# Versions of the charts. Kafka is what this Strimzi brings.
cert_manager_version=v1.21.2
mongodb_operator_version=0.13.0
strimzi_version=1.2.0
monitoring_version=88.5.0 # kube-prometheus-stack
keda_version=2.21.0

readonly all=(cert-manager mongodb kafka monitoring keda backend)
readonly files=deploy/kubernetes
selected=("${all[@]}")
left_out=()
not_run=()
values=()
kube=()
helm=()
charts='' timeout=10m dry_run='' demo='' verify=yes uninstall='' purge=''

say() { printf 'deploy: %s\n' "$*"; }
die() {
  printf 'deploy: %s\n' "$@" >&2
  exit 1
}
help() { sed -n '2,/^set /{/^#/!d;s/^# \{0,1\}//;p}' deploy.sh; }
usage() {
  printf 'deploy: %s\n' "$@" >&2
  help >&2
  exit 2
}

k() { kubectl "${kube[@]}" "$@"; }
h() { command helm "${helm[@]}" "$@"; }

# --- what was asked for ---------------------------------------------------------------

# pick MODE LIST keeps or leaves out components.
pick() {
  local one name keep=() wanted=()
  IFS=, read -r -a wanted <<<"$2"
  [ ${#wanted[@]} -gt 0 ] || usage "$1 needs a list of components"
  for name in "${wanted[@]}"; do
    [[ " ${all[*]} " == *" $name "* ]] || usage "there is no component $name: ${all[*]}"
  done
  for one in "${selected[@]}"; do
    name=--skip # is one that is not in the list kept
    [[ " ${wanted[*]} " != *" $one "* ]] || name=--only
    if [ "$1" = "$name" ]; then
      keep+=("$one")
    else
      left_out+=("$one")
    fi
  done
  [ ${#keep[@]} -gt 0 ] || usage "nothing is left to do"
  selected=("${keep[@]}")
}

# path NAME is a file as whoever called sees it.
path() { case $1 in /*) printf %s "$1" ;; *) printf '%s/%s' "$from" "$1" ;; esac }

while [ $# -gt 0 ]; do
  case $1 in
    --only | --skip | --values | --charts | --context | --timeout) [ $# -gt 1 ] && [ -n "$2" ] || usage "$1 needs a value" ;;
  esac
  case $1 in
    --only | --skip) pick "$1" "$2" && shift ;;
    --values) values+=(--values "$(path "$2")") && shift ;;
    --charts) charts=$(path "$2") && shift ;;
    --context) kube+=(--context "$2") helm+=(--kube-context "$2") && shift ;;
    --timeout) timeout=$2 && shift ;;
    --dry-run) dry_run=yes ;;
    --demo) demo=yes ;;
    --no-verify) verify='' ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    -h | --help)
      help
      exit
      ;;
    *) usage "there is no option $1" ;;
  esac
  shift
done
[ -z "$purge" ] || [ -n "$uninstall" ] || usage "--purge goes with --uninstall"
[ -z "$charts" ] || [ -d "$charts" ] || usage "$charts is no folder"

wants() { [[ " ${selected[*]} " == *" $1 "* ]]; }

# --- prerequisites --------------------------------------------------------------------

problems=()

check_tools() {
  command -v kubectl >/dev/null || problems+=("kubectl is missing: https://kubernetes.io/docs/tasks/tools/")
  if ! command -v helm >/dev/null; then
    problems+=("helm is missing: https://helm.sh/docs/intro/install/")
  else
    local version major minor
    version=$(command helm version --template '{{.Version}}')
    IFS=. read -r major minor _ <<<"${version#v}"
    [ "$major" -gt 3 ] || { [ "$major" = 3 ] && [ "$minor" -ge 13 ]; } || problems+=("helm $version is too old: 3.13 or later")
  fi
  [ -z "$verify" ] || [ -n "$uninstall$dry_run" ] || ! wants backend || command -v curl >/dev/null || problems+=("curl is missing; it asks the API whether it is well (--no-verify leaves that out)")
  stop_at_problems
}

check_cluster() {
  local answer major minor
  answer=$(k get --raw /version 2>&1) || die "the cluster does not answer: $(tail -n 1 <<<"$answer")" "is the right one set? kubectl config get-contexts"
  major=$(sed -n 's/^ *"major": *"\([0-9]*\).*/\1/p' <<<"$answer")
  minor=$(sed -n 's/^ *"minor": *"\([0-9]*\).*/\1/p' <<<"$answer")
  say "cluster $(k config current-context 2>/dev/null || echo 'without a context') has Kubernetes $major.$minor"
  [ "${major:-0}" -gt 1 ] || [ "${minor:-0}" -ge 24 ] || problems+=("the cluster has Kubernetes $major.$minor: 1.24 or later")
}

# may VERB RESOURCE[/PART] [NAMESPACE] asks the cluster whether we have a right.
may() {
  local what=("${2%%/*}") words="$1 $2"
  [ "$2" = "${2%%/*}" ] || what+=("--subresource=${2#*/}")
  if [ $# -lt 3 ]; then what+=(-A); else what+=(-n "$3") words+=" in $3"; fi
  k auth can-i "$1" "${what[@]}" >/dev/null 2>&1 || problems+=("no right to $words")
}

check_rights() {
  local one verb=create resource
  [ -z "$uninstall" ] || verb=delete
  ! k auth can-i '*' '*' -A >/dev/null 2>&1 || return 0 # everything
  for one in "${selected[@]}"; do
    if [ -n "$purge" ] || { [ -z "$uninstall" ] && ! has namespace "$one"; }; then may "$verb" namespaces; fi
    for resource in deployments.apps services secrets configmaps serviceaccounts roles.rbac.authorization.k8s.io; do
      may "$verb" "$resource" "$one"
    done
    case $one in
      backend) may get pods backend && may create pods/portforward backend ;;
      *) for resource in customresourcedefinitions.apiextensions.k8s.io clusterroles.rbac.authorization.k8s.io clusterrolebindings.rbac.authorization.k8s.io; do may "$verb" "$resource"; done ;;
    esac
  done
}

has() { k get "$@" >/dev/null 2>&1; }

# secret_key NAMESPACE NAME KEY prints one value of a secret, nothing where there is none.
secret_key() { k get secret "$2" -n "$1" -o "jsonpath={.data.$3}" 2>/dev/null | base64 -d || true; }

check_secrets() {
  wants backend || wants mongodb || wants kafka || return 0
  if [ -e "$files/secret.yaml" ]; then
    # shellcheck disable=SC2016 # the sign itself is looked for
    if grep -qE '^[^#]*(\$\{|TU_API_KEY_AQUI)' "$files/secret.yaml"; then
      problems+=("$files/secret.yaml still has a placeholder: $(grep -nE '^[^#]*(\$\{|TU_API_KEY_AQUI)' "$files/secret.yaml" | cut -d: -f1,2 | tr '\n' ' ')")
    fi
  elif ! has secret backend-secret -n backend && [ -z "$demo${YOUTUBE_API_KEY:-}" ]; then
    problems+=("there is no Secret backend-secret in namespace backend: cp $files/secret.example.yaml $files/secret.yaml and fill it in, or export YOUTUBE_API_KEY, or use --demo")
  fi
}

# check_user has the user of backend-secret be the one that MongoDB is told to have.
check_user() {
  local user
  wants mongodb || return 0
  user=$(secret_key backend backend-secret MONGO_USER)
  [ -z "$user" ] || grep -q "name: $user\$" "$files/mongodb/2-replicaset.yaml" ||
    die "MONGO_USER of backend-secret is not the user in $files/mongodb/2-replicaset.yaml: they have to be the same"
}

stop_at_problems() {
  [ ${#problems[@]} = 0 ] || die "${problems[@]}"
}

# --- doing ----------------------------------------------------------------------------

# apply FILE... has the cluster hold what files say.
apply() {
  local file out
  if [ -z "$dry_run" ]; then
    k apply "${@/#/--filename=}" | sed 's/^/  /'
    return
  fi
  for file in "$@"; do
    if out=$(k apply --dry-run=server -f "$file" 2>&1); then
      printf '  would be: %s\n' "${out//$'\n'/$'\n'  would be: }"
    else
      grep -qE 'no matches for kind|namespaces "[^"]*" not found' <<<"$out" || die "$file: $out"
      printf '  would be applied, can not be checked yet: %s\n' "$file"
    fi
  done
}

# copy_key KEY NAMESPACE NAME makes a secret of one value, password, of backend-secret's.
copy_key() {
  local value
  if [ -n "$dry_run" ]; then
    echo "  would be: secret $3 in $2"
    return
  fi
  value=$(secret_key backend backend-secret "$1")
  [ -n "$value" ] || die "backend-secret has no $1"
  printf %s "$value" | k create secret generic "$3" -n "$2" --from-file=password=/dev/stdin --dry-run=client -o yaml | k apply -f - | sed 's/^/  /'
}

# add_key KEY adds a value, from the standard input, to backend-secret. No value is ever
# an argument of a program.
add_key() {
  local value
  value=$(base64 | tr -d '\n')
  [ -z "$dry_run" ] || { echo "  would get a key: backend-secret $1" && return; }
  printf '{"data":{"%s":"%s"}}' "$1" "$value" | k patch secret backend-secret -n backend --patch-file /dev/stdin | sed "s/\$/ ($1)/;s/^/  /"
}

drawn() { head -c 32 /dev/urandom | base64 | tr -d '+/=\n'; }

# backend_secret sees to backend-secret: the file's, the cluster's, or the environment's.
backend_secret() {
  if [ -e "$files/secret.yaml" ]; then
    apply "$files/secret.yaml"
  elif ! has secret backend-secret -n backend; then
    if [ -n "$dry_run" ]; then
      echo "  would be made: secret backend-secret in backend"
      return
    fi
    k create secret generic backend-secret -n backend | sed 's/^/  /'
    [ -z "${YOUTUBE_API_KEY:-}" ] || printf %s "$YOUTUBE_API_KEY" | add_key YOUTUBE_API_KEY
    [ -z "${MONGO_USER:-}" ] || printf %s "$MONGO_USER" | add_key MONGO_USER
    [ -z "${MONGO_PASSWORD:-}" ] || printf %s "$MONGO_PASSWORD" | add_key MONGO_PASSWORD
    [ ! -s yt-cookies.txt ] || add_key YT_COOKIES <yt-cookies.txt
  fi
  [ -z "$dry_run" ] || has secret backend-secret -n backend || return 0
  [ -n "$(secret_key backend backend-secret MONGO_USER)" ] || printf admin-user | add_key MONGO_USER
  [ -n "$(secret_key backend backend-secret MONGO_PASSWORD)" ] || drawn | add_key MONGO_PASSWORD
  [ -n "$(secret_key backend backend-secret BUTAKERO_KAFKA_SASL_PASSWORD)" ] || drawn | add_key BUTAKERO_KAFKA_SASL_PASSWORD
  [ -n "$demo" ] || [ -n "$(secret_key backend backend-secret YOUTUBE_API_KEY)" ] || say "backend-secret has no YOUTUBE_API_KEY: titles will be searched through yt-dlp"
}

# chart RELEASE NAMESPACE CHART REPOSITORY VERSION [ARGUMENT...] installs or upgrades a
# release, unless what the chart gives is what the cluster was given and still has.
chart() {
  local release=$1 namespace=$2 name=$3 repository=$4 version=$5 from
  shift 5
  if [ -n "$charts" ] && [ -n "$repository" ]; then
    for from in "$charts/$name-$version.tgz" "$charts/$name"; do [ ! -e "$from" ] || break; done
    [ -e "$from" ] || {
      not_run+=("$namespace: chart $name $version is not in $charts")
      return 1
    }
    set -- "$from" "$@"
  elif [ -n "$repository" ]; then
    set -- "$name" --repo "$repository" --version "$version" "$@"
  else
    set -- "$name" "$@"
  fi
  set -- "$release" "$@" --install --namespace "$namespace" --history-max 5
  if [ -n "$dry_run" ]; then
    if ! has namespace "$namespace"; then
      echo "  would be installed, can not be checked yet: $release ($name $version) in $namespace"
    elif as_is "$release" "$namespace" "$@"; then
      echo "  release $release unchanged"
    else
      h upgrade "$@" --dry-run=server >/dev/null || die "the chart $name is not accepted with these values"
      echo "  would be installed or upgraded: $release ($name $version) in $namespace"
    fi
  elif as_is "$release" "$namespace" "$@"; then
    echo "  release $release unchanged"
  else
    h upgrade "$@" --wait --timeout "$timeout" >/dev/null || die "$release did not become ready; see: kubectl get pods,events -n $namespace"
    echo "  release $release $(h status "$release" -n "$namespace" | sed -n 's/^REVISION: /at revision /p')"
  fi
}

# as_is RELEASE NAMESPACE ARGUMENT... tells whether an upgrade would change nothing: the
# same manifests, hooks among them, and no object of them altered or gone since.
as_is() {
  local release=$1 namespace=$2 hooks manifest would
  shift 2
  [ "$(h status "$release" -n "$namespace" 2>/dev/null | sed -n 's/^STATUS: //p')" = deployed ] || return 1
  hooks=$(h get hooks "$release" -n "$namespace") && manifest=$(h get manifest "$release" -n "$namespace") || return 1
  would=$(h upgrade "$@" --dry-run=server 2>/dev/null | sed -n '/^HOOKS:/,/^NOTES:/p' | plain) || return 1
  [ "$(printf '%s\n%s\n' "$hooks" "$manifest" | plain)" = "$would" ] || return 1
  k diff -n "$namespace" --server-side --force-conflicts --field-manager helm -f - <<<"$manifest" >/dev/null 2>&1
}

plain() { sed -e '/^HOOKS:/d' -e '/^MANIFEST:/d' -e '/^NOTES:/d' -e 's/[[:space:]]*$//' -e '/^$/d'; }

# await WORDS waits for what kubectl wait knows; nothing to wait for in a dry run.
await() {
  [ -n "$dry_run" ] || k wait --timeout "$timeout" "$@" | sed 's/^/  /' || die "not ready after $timeout: ${*: -1}"
}

# --- components -----------------------------------------------------------------------

install_cert_manager() {
  chart cert-manager cert-manager cert-manager https://charts.jetstack.io "$cert_manager_version" --values "$files/values/cert-manager.yaml" || return 0
  apply "$files/cert-manager/issuers.yaml"
  await --for condition=Ready clusterissuer/butakero-ca
}

install_mongodb() {
  chart mongodb-operator mongodb community-operator https://mongodb.github.io/helm-charts "$mongodb_operator_version" --values "$files/values/mongodb-operator.yaml" || return 0
  copy_key MONGO_PASSWORD mongodb mongodb-backend-password
  apply "$files"/mongodb/*.yaml
  await -n mongodb --for condition=Ready certificate/mongodb
  await -n mongodb --for jsonpath='{.status.phase}'=Running mongodbcommunity/mongodb
}

install_kafka() {
  chart strimzi kafka strimzi-kafka-operator https://strimzi.io/charts "$strimzi_version" --values "$files/values/strimzi.yaml" || return 0
  copy_key BUTAKERO_KAFKA_SASL_PASSWORD kafka backend-password
  apply "$files"/kafka/*.yaml
  await -n kafka --for condition=Ready certificate/kafka
  await -n kafka --for condition=Ready kafka/butakero
  await -n kafka --for condition=Ready kafkatopic --all
  await -n kafka --for condition=Ready kafkauser/backend
}

install_monitoring() {
  has secret grafana-admin -n monitoring || grafana_secret
  chart monitoring monitoring kube-prometheus-stack https://prometheus-community.github.io/helm-charts "$monitoring_version" --values "$files/values/monitoring.yaml" || return 0
}

grafana_secret() {
  if [ -n "$dry_run" ]; then
    echo "  would be made: secret grafana-admin in monitoring"
    return
  fi
  drawn | k create secret generic grafana-admin -n monitoring --from-literal=admin-user=admin --from-file=admin-password=/dev/stdin | sed 's/^/  /'
}

install_keda() {
  chart keda keda keda https://kedacore.github.io/charts "$keda_version" --values "$files/values/keda.yaml" || return 0
  await --for condition=Available apiservice/v1beta1.external.metrics.k8s.io
}

install_backend() {
  local more=(--values "$files/values/butakero.yaml")
  [ -z "$demo" ] || more+=(--values "$files/values/butakero-demo.yaml")
  chart butakero backend helm/butakero '' '' "${more[@]}" "${values[@]}"
  [ -n "$dry_run" ] || k rollout status deployment/backend-application -n backend --timeout "$timeout" | sed 's/^/  /'
}

# --- the end --------------------------------------------------------------------------

# forward runs the original's port-forward, on a free port; base is its address.
forwarder='' forwarded='' base=''
forward() {
  local _
  forwarded=$(mktemp)
  k port-forward svc/backend-service :8080 -n backend >"$forwarded" 2>&1 &
  forwarder=$!
  for _ in $(seq 100); do
    base=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/http:\/\/127.0.0.1:\1/p' "$forwarded" | head -n 1)
    [ -z "$base" ] || return 0
    kill -0 "$forwarder" 2>/dev/null || break
    sleep 0.1
  done
  return 1
}
forward_end() {
  [ -z "$forwarder" ] || kill "$forwarder" 2>/dev/null || true
  [ -z "$forwarded" ] || rm -f "$forwarded"
}
trap forward_end EXIT

# verify_backend asks the API how it is, and with --demo for a song.
verify_backend() {
  local answer state operation song _
  forward || die "no way to the API: $(tail -n 1 "$forwarded")"
  answer=$(curl -fsS --max-time 20 "$base/api/v1/health") || die "the API is not well: kubectl logs deployment/backend-application -n backend"
  echo "  health: $answer"
  [ -n "$demo" ] || return 0
  answer=$(curl -fsS --max-time 20 -X POST "$base/api/v1/audio/start?song=luna+de+octubre")
  operation=$(sed -n 's/.*"operation_id":"\([^"]*\)".*/\1/p' <<<"$answer")
  song=$(sed -n 's/.*"song_id":"\([^"]*\)".*/\1/p' <<<"$answer")
  [ -n "$operation" ] && [ -n "$song" ] || die "the API did not take the test song: $answer"
  for _ in $(seq 120); do
    state=$(curl -fsS --max-time 20 "$base/api/v1/audio/status?operation_id=$operation&song_id=$song" | sed -n 's/.*"status":"\([^"{]*\)".*/\1/p')
    case $state in
      success)
        echo "  test song: made ($song)"
        return
        ;;
      failed) die "the test song failed: kubectl logs deployment/backend-worker -n backend" ;;
    esac
    sleep 1
  done
  die "the test song is not done after two minutes (${state:-no state}): kubectl logs deployment/backend-worker -n backend"
}

verify_all() {
  local one bad
  for one in "${selected[@]}"; do
    bad=$(k get pods -n "$one" --no-headers 2>/dev/null | awk '{split($2, n, "/")} $3 != "Completed" && $3 != "Terminating" && (n[1] != n[2] || $3 != "Running") {print $1 " (" $3 ")"}')
    [ -z "$bad" ] || die "pods in $one that are not well: ${bad//$'\n'/, }"
    echo "  $one: $(k get pods -n "$one" --no-headers 2>/dev/null | wc -l) pods, all well"
  done
  ! wants backend || [ -z "$verify" ] || verify_backend
}

farewell() {
  cat <<'END'

The API, at http://localhost:8080/api/v1/health:
  kubectl port-forward svc/backend-service 8080 -n backend
Pods:
  kubectl get pods -n backend
  kubectl get pods --all-namespaces
Logs:
  kubectl logs -f deployment/backend-application -n backend
  kubectl logs -f deployment/backend-worker -n backend
  kubectl logs -f backend-application-HASH -n backend        # one pod, by the name that get pods tells
Grafana, at http://localhost:3000, user admin:
  kubectl port-forward svc/grafana 3000 -n monitoring
  kubectl get secret grafana-admin -n monitoring -o jsonpath='{.data.admin-password}' | base64 -d
END
}

# remove COMPONENT takes one away: first what its operator looks after, then itself.
remove() {
  local release file kind
  case $1 in
    backend) release=butakero ;;
    kafka) release=strimzi ;;
    mongodb) release=mongodb-operator ;;
    *) release=$1 ;;
  esac
  for file in "$files/$1"/*.yaml; do
    [ -e "$file" ] || continue
    kind=$(sed -n 's/^kind: //p' "$file" | sort -u | tr '\n' ' ')
    if [ -n "$dry_run" ]; then
      echo "  would be deleted: $file ($kind)"
    else
      k delete -f "$file" --ignore-not-found --timeout "$timeout" 2>&1 | grep -v 'no matches for kind\|ensure CRDs are installed first' | sed 's/^/  /' || true
    fi
  done
  if ! h status "$release" -n "$1" >/dev/null 2>&1; then
    echo "  release $release is not there"
  elif [ -n "$dry_run" ]; then
    echo "  would be uninstalled: $release in $1"
  else
    h uninstall "$release" -n "$1" --wait --timeout "$timeout" | sed 's/^/  /'
  fi
  if [ -n "$purge" ]; then
    if [ -n "$dry_run" ]; then
      echo "  would be deleted with all data: namespace $1"
    else
      k delete namespace "$1" --ignore-not-found --timeout "$timeout" | sed 's/^/  /'
    fi
  fi
}

# --- all of it ------------------------------------------------------------------------

main() {
  local i one first=()
  say "checking"
  check_tools
  check_cluster
  check_rights
  [ -n "$uninstall" ] || check_secrets
  stop_at_problems
  if [ -n "$uninstall" ]; then
    for ((i = ${#selected[@]} - 1; i >= 0; i--)); do
      say "removing ${selected[i]}"
      remove "${selected[i]}"
    done
    [ -n "$purge$dry_run" ] || say "data, secrets and namespaces are still there; --purge takes them too"
    return
  fi
  say "namespaces and rights"
  for one in "${selected[@]}"; do
    first+=("$files/namespaces/$one.yaml")
    [ ! -e "$files/rbac/$one.yaml" ] || first+=("$files/rbac/$one.yaml")
  done
  apply "${first[@]}"
  if wants backend || wants mongodb || wants kafka; then
    wants backend || apply "$files/namespaces/backend.yaml"
    say "secrets"
    backend_secret
    check_user
  fi
  for one in "${selected[@]}"; do
    say "$one"
    "install_${one//-/_}"
  done
  if [ -z "$dry_run" ]; then
    say "verifying"
    verify_all
    farewell
  fi
  [ ${#left_out[@]} = 0 ] || say "left out, as asked: ${left_out[*]}"
  if [ ${#not_run[@]} -gt 0 ]; then
    for one in "${not_run[@]}"; do say "NOT RUN: $one"; done
    exit 3
  fi
  if [ -n "$dry_run" ]; then say "nothing was changed"; else say "done"; fi
}

main
