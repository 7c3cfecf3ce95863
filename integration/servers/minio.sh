#!/bin/bash
# minio.sh - MinIO, an S3-compatible object store, built from its Go module.  Driven by ../servers.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
NAME=minio
MINIO_VERSION=${MINIO_VERSION:-v0.0.0-20260212201848-7aac2a2c5b7c}   # the module has only such versions
PROGRAM=$CACHE/bin/minio-$MINIO_VERSION
installed() { [ -x "$PROGRAM" ]; }
install() { go_install "github.com/minio/minio@$MINIO_VERSION" "$PROGRAM"; }
start() {
  server_port PORT CONSOLE_PORT; mkdir -p "$S/data/pillion"   # a top folder of the data is a bucket
  # shellcheck disable=SC2086
  launch minio env MINIO_ROOT_USER=minioadmin MINIO_ROOT_PASSWORD=minioadmin MINIO_UPDATE=off MINIO_BROWSER=off \
    HOME="$S" "$PROGRAM" server "$S/data" --address "127.0.0.1:$PORT" --console-address "127.0.0.1:$CONSOLE_PORT" ${MINIO_ARGS:-}
  wait_ready minio 60 curl -fsS --noproxy '*' "http://127.0.0.1:$PORT/minio/health/ready"
}
env_lines() {
  printf '%s\n' "S3_ENDPOINT=http://127.0.0.1:$PORT" S3_REGION=us-east-1 S3_BUCKET=pillion S3_ACCESS_KEY=minioadmin S3_SECRET_KEY=minioadmin
}
server_main "$@"
