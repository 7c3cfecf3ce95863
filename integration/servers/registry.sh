#!/bin/bash
# registry.sh - Apicurio Registry, a schema registry with Confluent's API, from Maven Central.  Driven by ../servers.sh.
# Its default compatibility level is NONE where Confluent's is BACKWARD: set the level for each subject.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
NAME=registry
APICURIO_VERSION=${APICURIO_VERSION:-3.0.9}   # the newest whose classes are Java 17
D=$CACHE/apicurio-$APICURIO_VERSION
runner() { find "$D" -maxdepth 1 -name '*run*.jar' 2>/dev/null | head -n 1; }
installed() { [ -n "$(runner)" ] && command -v java >/dev/null; }
install() {
  local tmp=$D.new; rm -rf "$tmp" "$D"; mkdir -p "$tmp"
  echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
    <groupId>local</groupId><artifactId>registry</artifactId><version>1</version><packaging>pom</packaging></project>' >"$tmp/pom.xml"
  maven "$tmp" dependency:copy -Dartifact="io.apicurio:apicurio-registry-app:$APICURIO_VERSION:tar.gz:all" -DoutputDirectory=.
  tar -xzf "$tmp/apicurio-registry-app-$APICURIO_VERSION-all.tar.gz" -C "$tmp"; rm "$tmp"/*.tar.gz
  mv "$tmp" "$D"
}
start() {
  server_port PORT
  # legacy ids off: the id on the wire is the global content id, as with Confluent's registry
  # shellcheck disable=SC2086
  launch registry env QUARKUS_HTTP_HOST=127.0.0.1 QUARKUS_HTTP_PORT="$PORT" QUARKUS_MANAGEMENT_ENABLED=false \
    QUARKUS_OTEL_SDK_DISABLED=true APICURIO_STORAGE_KIND=sql APICURIO_STORAGE_SQL_KIND=h2 \
    APICURIO_DATASOURCE_URL="jdbc:h2:file:$S/db" APICURIO_CCOMPAT_LEGACY_ID_MODE_ENABLED=false \
    APICURIO_CCOMPAT_USE_CANONICAL_HASH=true APICURIO_REST_DELETION_ARTIFACT_ENABLED=true \
    APICURIO_REST_DELETION_ARTIFACTVERSION_ENABLED=true \
    java -Xms64m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 ${REGISTRY_ARGS:-} -jar "$(runner)"
  wait_ready registry 120 curl -fsS --noproxy '*' "http://127.0.0.1:$PORT/apis/ccompat/v7/subjects"
}
env_lines() { printf '%s\n' "REGISTRY_URL=http://127.0.0.1:$PORT/apis/ccompat/v7"; }
server_main "$@"
