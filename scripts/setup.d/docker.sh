# shellcheck shell=bash disable=SC2154 # cache is setup.sh's
# compose: the plugin of Docker that reads compose.yaml; its checks need no engine.
# docker:  a real engine, buildx, and a Debian to build on where no registry can be
#          reached. It is started by the tests alone, and "all" leaves it out:
#   setup.sh docker

compose_version=v2.40.3
buildx_version=v0.38.2
debian_suite=bookworm

has_compose() { [ -x "$cache/bin/docker-compose" ] && [ -e "$cache/bin/.docker-compose-$compose_version" ]; }
compose() { has_compose || locked install_compose; }

# It is published with replacements in its go.mod, which go install refuses: a copy is built.
install_compose() {
  local from stage log="$cache/docker-compose.log"
  has_compose && return # while we waited
  say "building docker compose $compose_version (some minutes, once)"
  stage=$(mktemp -d "$cache/stage-XXXXXX") || return 1
  {
    from=$(cd "$stage" && GOWORK=off GOFLAGS='' go mod download -json "github.com/docker/compose/v2@$compose_version" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p') &&
      [ -d "$from" ] && cp -R "$from" "$stage/src" && chmod -R u+w "$stage/src" &&
      (cd "$stage/src" && GOWORK=off GOFLAGS='' CGO_ENABLED=0 nice -n 10 go build -trimpath -buildvcs=false \
        -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$compose_version" -o "$stage/docker-compose" ./cmd) &&
      rm -f "$cache/bin/.docker-compose-"* && mv -f "$stage/docker-compose" "$cache/bin/docker-compose" && touch "$cache/bin/.docker-compose-$compose_version"
  } >"$log" 2>&1 || {
    tail -n 5 "$log"
    say "docker compose $compose_version could not be built; it needs the Go module proxy once"
    rm -rf "$stage"
    return 1
  }
  rm -rf "$stage"
}

# docker is the engine with what the tests build on.
docker() { compose && tool buildx github.com/docker/buildx/cmd/buildx "$buildx_version" && docker_engine && docker_debian; }

# The client of the same release is the one that needs no plugin for a build.
has_engine() { [ -x /usr/sbin/dockerd ] && [ -x /usr/bin/docker ] && command -v iptables >/dev/null && command -v mmdebstrap >/dev/null; }
docker_engine() {
  [ "$(uname -s)" = Linux ] || { say "the engine of the tests runs on Linux alone"; return 1; }
  has_engine || locked debian docker.io iptables mmdebstrap && has_engine
}

# docker_debian makes what the image debian:bookworm-slim is, near enough.
docker_debian() { [ -e "$cache/docker/debian-$debian_suite.tar" ] || locked make_debian; }
make_debian() {
  local file="$cache/docker/debian-$debian_suite.tar"
  [ -e "$file" ] && return # while we waited
  say "making a Debian $debian_suite for the images"
  mkdir -p "$cache/docker" || return 1
  mmdebstrap --variant=minbase --include=ca-certificates "$debian_suite" "$file.new" >"$cache/docker/debian.log" 2>&1 || {
    tail -n 5 "$cache/docker/debian.log"
    rm -f "$file.new"
    return 1
  }
  mv "$file.new" "$file"
}

# shellcheck disable=SC2034 # read by setup.sh
{
  parts+=("compose docker compose $compose_version")
  [ "${1:-all}" = all ] || parts+=("docker a Docker engine, buildx $buildx_version, a base for the images")
}
