#!/bin/bash
# kafka.sh - Apache Kafka, one KRaft node, from Maven Central (the broker's jars with their runtime dependencies are a
# whole distribution).  Driven by ../servers.sh.  Listeners: plain, and SASL_SSL with PLAIN and SCRAM for cdc/cdcpw.
#
# librdkafka before 2.6.1 (Debian 12 has 2.0.2) repeats the client's nonce in SCRAM, which Kafka 4 refuses: there use
# PLAIN, or KAFKA_VERSION=3.9.2 (https://github.com/confluentinc/librdkafka/issues/4895).
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
NAME=kafka
KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}   # classes are Java 17
D=$CACHE/kafka-$KAFKA_VERSION
installed() { [ -e "$D/log4j2.yaml" ] && command -v java >/dev/null; }
install() {
  local tmp=$D.new; rm -rf "$tmp" "$D"; mkdir -p "$tmp"
  cat >"$tmp/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka-server</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
 <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
 <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
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
kafka_java() { java -Xmx256m -Dlog4j2.configurationFile="$D/log4j2.yaml" -cp "$D/libs/*" "$@"; }
start() {
  server_port PORT SASL_PORT CONTROLLER_PORT
  cat >"$S/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$PORT,SASL_SSL://127.0.0.1:$SASL_PORT,CONTROLLER://127.0.0.1:$CONTROLLER_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT,SASL_SSL://localhost:$SASL_PORT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_cdc="cdcpw";
ssl.keystore.type=PEM
ssl.keystore.location=$CACHE/tls/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$CACHE/tls/ca.crt
ssl.client.auth=none
log.dirs=$S/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
CONF
  if [ ! -e "$S/data/meta.properties" ]; then
    # the SCRAM users of a KRaft cluster are put in at format time
    kafka_java kafka.tools.StorageTool format -t "$(kafka_java kafka.tools.StorageTool random-uuid 2>/dev/null)" \
      -c "$S/server.properties" --add-scram 'SCRAM-SHA-256=[name=cdc,password=cdcpw]' \
      --add-scram 'SCRAM-SHA-512=[name=cdc,password=cdcpw]' >"$S/format.log" 2>&1 ||
      { tail -n 20 "$S/format.log" >&2; die 'Kafka could not format its data folder'; }
  fi
  # java itself expands libs/*
  # shellcheck disable=SC2086
  launch kafka java -Xms128m -Xmx512m -XX:+UseSerialGC -Dlog4j2.configurationFile="$D/log4j2.yaml" -Dkafka.logs.dir="$S" \
    -cp "$D/libs/*" kafka.Kafka "$S/server.properties" ${KAFKA_ARGS:-}
  wait_ready kafka 120 grep -q 'Kafka Server started' "$S/kafka.log"
}
env_lines() {
  printf '%s\n' "KAFKA_BOOTSTRAP=127.0.0.1:$PORT" "KAFKA_SASL_BOOTSTRAP=localhost:$SASL_PORT" KAFKA_SASL_USER=cdc \
    KAFKA_SASL_PASSWORD=cdcpw "KAFKA_CLASSPATH='$D/libs/*'"
}
server_main "$@"
