#!/bin/bash
# secrets.sh - makes the passwords that compose.yaml mounts, once: docker/secrets/NAME, random, never in the repository.
#
# The folder is closed to others; the files in it are readable, because compose mounts them with their mode into
# containers whose users have other numbers.
set -euo pipefail
dir=$(cd "$(dirname "$0")" && pwd)/secrets
mkdir -p "$dir"; chmod 700 "$dir"
make() { # NAME BYTES
  [ -s "$dir/$1" ] || { head -c "$2" /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/$1"; chmod 444 "$dir/$1"; }
}
for name in mysql_root mysql_cdc mongo_root mongo_pillion admin_token; do make $name 24; done
make s3_secret_key 20   # 40 characters, as S3's have
