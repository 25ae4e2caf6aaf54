# Both images, for amd64 and arm64:
#   docker buildx bake --load --set '*.platform=linux/amd64'   this machine's, into the engine
#   VERSION=v1.2.3 REGISTRY=registry.example.org/ docker buildx bake release --push
# Building for the other architecture needs a builder that can (docker buildx create --use)
# and, for the worker, emulation: docker run --privileged --rm tonistiigi/binfmt --install all
variable "VERSION" {
  default = "development"
}

variable "COMMIT" {
  default = "unknown"
}

# With a slash at its end, or nothing.
variable "REGISTRY" {
  default = ""
}

group "default" {
  targets = ["api", "worker"]
}

group "release" {
  targets = ["api-release", "worker-release"]
}

target "image" {
  context    = "."
  dockerfile = "Dockerfile"
  platforms  = ["linux/amd64", "linux/arm64"]
  args = {
    VERSION = VERSION
    COMMIT  = COMMIT
  }
}

target "api" {
  inherits = ["image"]
  target   = "api"
  tags     = ["${REGISTRY}butakero/api:${VERSION}"]
}

target "worker" {
  inherits = ["image"]
  target   = "worker"
  tags     = ["${REGISTRY}butakero/worker:${VERSION}"]
}

# What is published also says how it was made. Each image holds its bill of materials anyway.
target "api-release" {
  inherits = ["api"]
  attest   = ["type=sbom", "type=provenance,mode=max"]
}

target "worker-release" {
  inherits = ["worker"]
  attest   = ["type=sbom", "type=provenance,mode=max"]
}
