#!/usr/bin/env bash
# debezium: see debezium.py and README.md. Needs MariaDB, Kafka, the registry, MinIO and FerretDB of integration/servers.sh, PILLION, PYTHON.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "${PILLION_RUN:?the run folder of integration/servers.sh}/env"
DEBEZIUM=$(bash "$here/debezium.sh"); export DEBEZIUM
exec "${PYTHON:-python3}" "$here/debezium.py"
