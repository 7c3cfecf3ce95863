#!/usr/bin/env bash
# kafka: the unit tests of kafka/ and registry/ once more, against a real Kafka and a real schema registry, with the refusals that
# only those give (TLS, SASL, an incompatible schema, a member that takes another's place); then what producing costs.
#
# Needs the servers kafka and registry of integration/servers.sh, and PILLION_BUILD (or PILLION): the build folder with tests/ in it.
set -euo pipefail
. "${PILLION_RUN:?the run folder of integration/servers.sh}/env"
: "${PILLION_BUILD:=$(dirname "${PILLION:?the pillion program, or PILLION_BUILD}")}"
log=$(mktemp "${TMPDIR:-/tmp}/pillion-kafka.XXXXXX"); trap 'rm -f "$log"' EXIT

export PILLION_TEST_KAFKA=$KAFKA_BOOTSTRAP PILLION_TEST_KAFKA_SASL=$KAFKA_SASL_BOOTSTRAP PILLION_TEST_KAFKA_USER=$KAFKA_SASL_USER
export PILLION_TEST_KAFKA_PASSWORD=$KAFKA_SASL_PASSWORD PILLION_TEST_CA=$TLS_CA PILLION_TEST_REGISTRY=$REGISTRY_URL
for name in kafka_test_producer kafka_test_consumer kafka_test_lease registry_test_registry; do
  if ! timeout 300 "$PILLION_BUILD/tests/$name" >"$log" 2>&1; then cat "$log" >&2; echo "$name failed against the real servers" >&2; exit 1; fi
  grep -hE '^(compatibility|refusal|wrong password|unknown authority|SCRAM):' "$log" || true
done

# Not bars, which tests/bench holds: only that it does what it should under load, with the figures in the log.
bench=$(find "$PILLION_BUILD/tests" -name bench_produce -type f | head -n 1)
"${bench:?bench_produce is not built}" "$KAFKA_BOOTSTRAP" 300000 150 5 4 1
"$bench" "$KAFKA_BOOTSTRAP" 2000 150 5 4 1 rate=200 burst=5
