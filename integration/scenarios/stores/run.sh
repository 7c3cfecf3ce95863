#!/usr/bin/env bash
# stores: the unit tests of sink/ against a real MongoDB-compatible server and a real S3 server.
# Needs the servers ferretdb and minio, and PILLION (the program in a build folder that has the tests too).
set -euo pipefail
: "${PILLION_BUILD:=$(dirname "${PILLION:?the pillion program}")}" "${PILLION_RUN:?the run folder of integration/servers.sh}"
. "$PILLION_RUN/env"
PILLION_TEST_DOCUMENTS=$MONGODB_URI "$PILLION_BUILD/tests/sink_test_document_store"
PILLION_TEST_OBJECTS=s3://$S3_BUCKET/unit-$$ PILLION_TEST_ENDPOINT=$S3_ENDPOINT PILLION_TEST_ACCESS_KEY=$S3_ACCESS_KEY \
  PILLION_TEST_SECRET_KEY=$S3_SECRET_KEY "$PILLION_BUILD/tests/sink_test_object_store"
