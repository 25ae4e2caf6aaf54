#!/usr/bin/env bash
# Starts the one member of the set rs0, with a key file that it makes itself the first
# time. The key never leaves its volume.
set -euo pipefail
key=/data/configdb/keyfile
if [ ! -s "$key" ]; then
  umask 077
  head -c 512 /dev/urandom | base64 -w 0 >"$key.new"
  chmod 400 "$key.new"
  mv "$key.new" "$key"
fi
exec mongod --bind_ip_all --replSet rs0 --keyFile "$key" --wiredTigerCacheSizeGB "${MONGO_CACHE_GB:-0.5}"
