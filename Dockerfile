# The images of Butakero.
#   docker build --target api    -t butakero/api .       the API: static, no shell
#   docker build --target worker -t butakero/worker .    the worker, and butakero for people
# or both, for amd64 and arm64: docker buildx bake
# The bases are named by their digests, which docker-bake.hcl repeats nowhere: to move to
# newer ones, change them here (docker buildx imagetools inspect golang:1.26-bookworm).
# Only what an older builder knows too is used: no "# syntax" line has to be fetched.
ARG GO_IMAGE=golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d
ARG DEBIAN_IMAGE=debian:bookworm-20261005-slim@sha256:7c7b2c966bc9ee8cedfeef67e0e279108992c77681fa595db4a9d65c06ccc587

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS modules
ENV GOWORK=off CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-trimpath -buildvcs=false -mod=readonly" \
    GOMODCACHE=/cache/modules GOCACHE=/cache/build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache/modules go mod download
COPY cmd cmd
COPY internal internal
COPY deploy/image/sbom deploy/image/sbom

# The tag apionly leaves out what an API never uses: the native extractor with its JavaScript engine.
FROM modules AS build-api
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=development
ARG COMMIT=unknown
RUN --mount=type=cache,target=/cache/modules --mount=type=cache,target=/cache/build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -tags apionly -ldflags "-s -w -X 'main.release=$VERSION ($COMMIT)'" -o /out/ ./cmd/api \
 && go run ./deploy/image/sbom -name butakero/api -version "$VERSION" /out/api >/out/sbom.cdx.json
# What a program without a distribution around it needs.
RUN mkdir -p /root-of/etc/ssl/certs /root-of/data /root-of/tmp \
 && printf 'root:x:0:0::/:/none\nbutakero:x:65532:65532::/data:/none\n' >/root-of/etc/passwd \
 && printf 'root:x:0:\nbutakero:x:65532:\n' >/root-of/etc/group \
 && cp /etc/ssl/certs/ca-certificates.crt /root-of/etc/ssl/certs/ \
 && chown 65532:65532 /root-of/data && chmod 0750 /root-of/data && chmod 1777 /root-of/tmp

FROM modules AS build-worker
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=development
ARG COMMIT=unknown
RUN --mount=type=cache,target=/cache/modules --mount=type=cache,target=/cache/build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -ldflags "-s -w -X 'main.release=$VERSION ($COMMIT)'" -o /out/ ./cmd/worker ./cmd/butakero

FROM scratch AS api
ARG VERSION=development
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Butakero API" \
      org.opencontainers.image.description="HTTP API of Butakero, which turns songs into DCA files" \
      org.opencontainers.image.source="https://github.com/butakero/butakero" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build-api /root-of/ /
COPY --from=build-api /out/sbom.cdx.json /usr/share/sbom/butakero.cdx.json
COPY --from=build-api /out/api /usr/local/bin/api
ENV PATH=/usr/local/bin BUTAKERO_LISTEN=0.0.0.0:8080 BUTAKERO_DATA_DIR=/data
WORKDIR /
USER 65532:65532
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/api", "health"]
ENTRYPOINT ["/usr/local/bin/api"]

FROM ${DEBIAN_IMAGE} AS debian
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates ffmpeg python3 tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log

FROM debian AS ytdlp
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
COPY deploy/image/yt-dlp.txt /tmp/yt-dlp.txt
RUN python3 -m venv /opt/yt-dlp \
 && /opt/yt-dlp/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary=:all: --require-hashes -r /tmp/yt-dlp.txt \
 && /opt/yt-dlp/bin/pip list --disable-pip-version-check --format=freeze >/opt/yt-dlp/packages.txt \
 && /opt/yt-dlp/bin/pip uninstall -y --disable-pip-version-check pip setuptools \
 && rm -r /opt/yt-dlp/lib/python3*/site-packages/Cryptodome/SelfTest \
 && python3 -m compileall -q -j 0 /opt/yt-dlp

FROM build-worker AS sbom-worker
ARG VERSION=development
COPY --from=debian /var/lib/dpkg/status /tmp/dpkg-status
COPY --from=ytdlp /opt/yt-dlp/packages.txt /tmp/packages.txt
RUN --mount=type=cache,target=/cache/modules --mount=type=cache,target=/cache/build \
    go run ./deploy/image/sbom -name butakero/worker -version "$VERSION" -dpkg /tmp/dpkg-status -pip /tmp/packages.txt \
      /out/worker /out/butakero >/out/sbom.cdx.json

FROM debian AS worker
ARG VERSION=development
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Butakero worker" \
      org.opencontainers.image.description="Worker of Butakero, which turns songs into DCA files, with ffmpeg and yt-dlp" \
      org.opencontainers.image.source="https://github.com/butakero/butakero" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
RUN groupadd -g 65532 butakero && useradd -u 65532 -g 65532 -M -d /data -s /usr/sbin/nologin butakero \
 && install -d -o 65532 -g 65532 -m 0750 /data
COPY --from=ytdlp /opt/yt-dlp /opt/yt-dlp
COPY --from=sbom-worker /out/sbom.cdx.json /usr/share/sbom/butakero.cdx.json
COPY --from=sbom-worker /out/worker /out/butakero /usr/local/bin/
ENV PATH=/opt/yt-dlp/bin:/usr/local/bin:/usr/bin:/bin \
    BUTAKERO_LISTEN=0.0.0.0:8080 BUTAKERO_WORKER_LISTEN=0.0.0.0:8080 BUTAKERO_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /
USER 65532:65532
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/worker", "health"]
# tini reaps what ffmpeg and yt-dlp may leave behind.
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/worker"]
