#!/bin/bash
# ferretdb.sh - FerretDB 2 (MongoDB's protocol) over PostgreSQL 18 with Microsoft's DocumentDB extension.  PostgreSQL
# runs in the Debian sid folder by chroot (root needed), the proxy outside.  Driven by ../servers.sh.
#
# Not what a MongoDB has: transactions (accepted, not done), change streams, retryable writes (not deduplicated).
# User cdc/cdcpw, over plain TCP and over TLS.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
NAME=ferretdb
FERRETDB_VERSION=${FERRETDB_VERSION:-v2.7.0}
PROGRAM=$CACHE/bin/ferretdb-$FERRETDB_VERSION
PG=/usr/lib/postgresql/18/bin
installed() { [ -x "$PROGRAM" ] && [ -e "$CACHE/root-sid/usr/share/postgresql/18/extension/documentdb.control" ]; }
install() {
  need_root FerretDB
  with_lock root-sid root_with sid postgresql-18-documentdb
  [ -x "$PROGRAM" ] || go_install "github.com/FerretDB/FerretDB/v2/cmd/ferretdb@$FERRETDB_VERSION" "$PROGRAM"
}
as_postgres() { in_root --share "$S/pg" sid setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/tmp "$@"; }
sql() { as_postgres $PG/psql -qAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$PG_PORT" -U postgres -c "$1" >>"$S/psql.log" 2>&1 ||
  { tail -n 20 "$S/psql.log" >&2; die 'DocumentDB could not be set up'; }; }
start() {
  need_root FerretDB
  server_port PORT TLS_PORT PG_PORT; mkdir -p "$S/pg" "$S/state"
  in_root --share "$S/pg" sid chown postgres:postgres /mnt
  if [ ! -e "$S/pg/data/PG_VERSION" ]; then
    as_postgres $PG/initdb -D /mnt/data -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 >"$S/init.log" 2>&1 ||
      { tail -n 20 "$S/init.log" >&2; die initdb; }
    cat >>"$S/pg/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $PG_PORT
unix_socket_directories = ''
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
cron.host = '127.0.0.1'
fsync = off
max_connections = 100
CONF
  fi
  alive postgres || rm -f "$S/pg/data/postmaster.pid"   # after a crash it names a process that may still be a zombie
  launch postgres bash "$INTEGRATION/chroot.sh" --share "$S/pg" sid setpriv --reuid=postgres --regid=postgres --clear-groups \
    env HOME=/tmp $PG/postgres -D /mnt/data
  wait_ready postgres 60 as_postgres $PG/pg_isready -q -h 127.0.0.1 -p "$PG_PORT"
  # The user is made by DocumentDB itself: with CREATE ROLE the salt is shorter than libmongoc accepts.
  if [ ! -e "$S/made" ]; then
    sql 'CREATE EXTENSION IF NOT EXISTS documentdb CASCADE'
    sql "SELECT documentdb_api.create_user('{\"createUser\":\"cdc\",\"pwd\":\"cdcpw\",\"roles\":[{\"role\":\"clusterAdmin\",\"db\":\"admin\"},{\"role\":\"readWriteAnyDatabase\",\"db\":\"admin\"}]}')"
    touch "$S/made"
  fi
  # shellcheck disable=SC2086
  launch ferretdb "$PROGRAM" --postgresql-url="postgres://postgres@127.0.0.1:$PG_PORT/postgres" --listen-addr="127.0.0.1:$PORT" \
    --listen-tls="127.0.0.1:$TLS_PORT" --listen-tls-cert-file="$CACHE/tls/server.crt" --listen-tls-key-file="$CACHE/tls/server.key" \
    --state-dir="$S/state" --debug-addr=- --telemetry=disable --log-level=warn ${FERRETDB_ARGS:-}
  wait_ready ferretdb 30 tcp_open "$PORT"
}
stop() { end ferretdb; end postgres INT; }   # INT is PostgreSQL's fast shutdown
env_lines() {
  printf '%s\n' "MONGODB_URI='mongodb://cdc:cdcpw@127.0.0.1:$PORT/?authSource=admin'" \
    "MONGODB_TLS_URI='mongodb://cdc:cdcpw@localhost:$TLS_PORT/?authSource=admin&tls=true&tlsCAFile=$CACHE/tls/ca.crt'" "MONGODB_ADDRESS=127.0.0.1:$PORT"
}
server_main "$@"
