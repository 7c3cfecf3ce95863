#!/usr/bin/env bash
# shapes: see shapes.py. Needs all servers of integration/servers.sh, PILLION and PYTHON.
set -euo pipefail
. "${PILLION_RUN:?the run folder of integration/servers.sh}/env"
exec "${PYTHON:-python3}" "$(dirname "$0")/shapes.py"
