#!/usr/bin/env bash
# As the published image does: KAFKA_LOG_DIRS becomes log.dirs, and so on.
set -euo pipefail
: >/tmp/server.properties
while IFS='=' read -r name value; do
  name=${name#KAFKA_}
  name=${name,,}
  printf '%s=%s\n' "${name//_/.}" "$value" >>/tmp/server.properties
done < <(env | grep '^KAFKA_')
java -Xmx128m -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format --ignore-formatted --cluster-id "$CLUSTER_ID" --config /tmp/server.properties
exec java -Xms128m -Xmx512m -XX:+UseSerialGC -cp '/opt/kafka/libs/*' kafka.Kafka /tmp/server.properties
