#!/bin/bash
# bench_capture.sh BUILD_FOLDER [mariadb|mysql] [THOUSAND_ROWS] [LATENCY_SECONDS] [BIG_TRANSACTION_THOUSANDS]
#
# Runs bench_capture on private servers that it starts and removes: source, Kafka and registry on this machine, all on the same
# cores, so compare CPU a row rather than rows a second. Build first: cmake --build BUILD_FOLDER --target bench
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${1:?usage: bench_capture.sh BUILD_FOLDER [mariadb|mysql] [THOUSAND_ROWS] [LATENCY_SECONDS] [BIG_TRANSACTION_THOUSANDS]}
shift
source=${1:-mariadb}
exec "$root/integration/servers.sh" with "$source" kafka registry -- "$build/tests/bench/bench_capture" "$@"
