#!/bin/bash
# mariadb.sh - the release's own MariaDB server, run privately from a folder.  Driven by ../servers.sh.
# Accounts: root (no password), cdc/cdcpw (what Pillion needs and no more), tls/tlspw (the same, TLS only).
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
NAME=mariadb
PATH=$PATH:/usr/sbin
installed() { command -v mariadbd && command -v mariadb-install-db && command -v mariadb; } >/dev/null
install() { bash "$INTEGRATION/deps.sh" servers; }
start() {
  local common=(--no-defaults --datadir="$S/data" --tmpdir="$S/tmp" --user="$(id -un)")
  server_port PORT; mkdir -p "$S/tmp" "$S/binlog"
  if [ ! -e "$S/data/.made" ]; then
    rm -rf "$S/data"
    mariadb-install-db "${common[@]}" --auth-root-authentication-method=normal --skip-test-db >"$S/init.log" 2>&1 ||
      { tail -n 20 "$S/init.log" >&2; die mariadb-install-db; }
    cat >"$S/users.sql" <<'SQL'
SET SESSION sql_log_bin=0;
CREATE USER root@'%';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
CREATE USER cdc@'%' IDENTIFIED BY 'cdcpw';
GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO cdc@'%';
CREATE USER tls@'%' IDENTIFIED BY 'tlspw' REQUIRE SSL;
GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO tls@'%';
SQL
    common+=(--init-file="$S/users.sql")
  fi
  # shellcheck disable=SC2086
  launch mariadb mariadbd "${common[@]}" --bind-address=127.0.0.1 --port="$PORT" --socket="$S/s.sock" --pid-file="$S/server.pid" \
    --server-id=$((PORT % 60000)) --log-bin="$S/binlog/mysql-bin" --log-slave-updates --binlog-format=ROW --binlog-row-image=FULL \
    --binlog-row-metadata=FULL --gtid-strict-mode=ON --skip-name-resolve --max-allowed-packet=256M \
    --innodb-buffer-pool-size=128M --innodb-flush-log-at-trx-commit=2 --sync-binlog=0 --character-set-server=utf8mb4 \
    --ssl-ca="$CACHE/tls/ca.crt" --ssl-cert="$CACHE/tls/server.crt" --ssl-key="$CACHE/tls/server.key" ${MARIADB_ARGS:-}
  wait_ready mariadb 90 mariadb --no-defaults -h127.0.0.1 -P"$PORT" -ucdc -pcdcpw -e 'select 1'
  touch "$S/data/.made"
}
env_lines() {
  printf '%s\n' "MARIADB_PORT=$PORT" "MARIADB_SOCKET=$S/s.sock" MARIADB_ROOT_USER=root \
    MARIADB_USER=cdc MARIADB_PASSWORD=cdcpw "MARIADB_DATADIR=$S/data" "MARIADB_BINLOG=$S/binlog/mysql-bin"
}
server_main "$@"
