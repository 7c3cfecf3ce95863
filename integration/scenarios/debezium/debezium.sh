#!/bin/bash
# debezium.sh - puts Debezium, a Kafka Connect that runs it, and Apicurio's Avro converter into the cache, from Maven
# Central, and prints the folder with their jars.  Java 17; Debezium 3.6 does not start under this Connect.
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
NAME=debezium
DEBEZIUM_VERSION=${DEBEZIUM_VERSION:-3.5.0.Final}
CONNECT_VERSION=${CONNECT_VERSION:-4.3.1}
CONVERTER_VERSION=${CONVERTER_VERSION:-2.6.13.Final}
D=$CACHE/debezium-$DEBEZIUM_VERSION-$CONNECT_VERSION-$CONVERTER_VERSION
installed() { [ -e "$D/log4j2.yaml" ] && command -v java >/dev/null; }
install() {
  local tmp=$D.new; rm -rf "$tmp" "$D"; mkdir -p "$tmp"
  cat >"$tmp/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>debezium</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
 <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId><version>$CONNECT_VERSION</version></dependency>
 <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId><version>$CONNECT_VERSION</version></dependency>
 <dependency><groupId>io.debezium</groupId><artifactId>debezium-connector-mariadb</artifactId><version>$DEBEZIUM_VERSION</version></dependency>
 <dependency><groupId>io.apicurio</groupId><artifactId>apicurio-registry-utils-converter</artifactId><version>$CONVERTER_VERSION</version></dependency>
 <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
</dependencies></project>
XML
  maven "$tmp" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=libs
  cat >"$tmp/log4j2.yaml" <<'YAML'
Configuration:
  Appenders:
    Console: {name: STDOUT, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
  Loggers:
    Root: {level: INFO, AppenderRef: {ref: STDOUT}}
YAML
  mv "$tmp" "$D"
}
with_lock install-debezium server_install >&2
echo "$D"
