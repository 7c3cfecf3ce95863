#!/bin/bash
# mysql.sh - Oracle's MySQL server, which of Debian's releases only sid has: in a Debian folder, by chroot (root needed).
# Driven by ../servers.sh.  Inside, the run folder is /mnt.  Accounts as in mariadb.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
NAME=mysql
installed() { [ -x "$CACHE/root-sid/usr/sbin/mysqld" ]; }
install() { need_root MySQL; with_lock root-sid root_with sid mysql-server-core; }
start() {
  local common=(--no-defaults --user=root --datadir=/mnt/data --tmpdir=/mnt/tmp --secure-file-priv=/mnt/tmp --mysqlx=OFF)
  need_root MySQL
  server_port PORT; mkdir -p "$S/tmp" "$S/binlog"
  cp "$CACHE"/tls/{ca.crt,server.crt,server.key} "$S/"
  if [ ! -e "$S/data/.made" ]; then
    rm -rf "$S/data"
    in_root --share "$S" sid mysqld "${common[@]}" --initialize-insecure >"$S/init.log" 2>&1 ||
      { tail -n 20 "$S/init.log" >&2; die 'mysqld --initialize-insecure'; }
    cat >"$S/users.sql" <<'SQL'
SET SESSION sql_log_bin=0;
CREATE USER root@'%' IDENTIFIED BY '';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
CREATE USER cdc@'%' IDENTIFIED BY 'cdcpw';
GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO cdc@'%';
CREATE USER tls@'%' IDENTIFIED BY 'tlspw' REQUIRE SSL;
GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tls@'%';
SQL
    common+=(--init-file=/mnt/users.sql)
  fi
  alive mysql || rm -f "$S"/s.sock*   # after a crash its lock names a process that may still be a zombie
  # shellcheck disable=SC2086
  launch mysql bash "$INTEGRATION/chroot.sh" --share "$S" sid mysqld "${common[@]}" --bind-address=127.0.0.1 --port="$PORT" \
    --socket=/mnt/s.sock --pid-file=/mnt/server.pid --server-id=$((PORT % 60000)) --log-bin=/mnt/binlog/mysql-bin \
    --binlog-format=ROW --binlog-row-image=FULL --binlog-row-metadata=FULL --gtid-mode=ON --enforce-gtid-consistency=ON \
    --skip-name-resolve --max-allowed-packet=256M --innodb-buffer-pool-size=128M --innodb-flush-log-at-trx-commit=2 \
    --sync-binlog=0 --log-bin-trust-function-creators=1 --performance-schema=OFF \
    --ssl-ca=/mnt/ca.crt --ssl-cert=/mnt/server.crt --ssl-key=/mnt/server.key ${MYSQL_ARGS:-}
  wait_ready mysql 90 grep -q 'ready for connections.*port: '"$PORT" "$S/mysql.log"
  touch "$S/data/.made"
}
env_lines() {
  printf '%s\n' "MYSQL_PORT=$PORT" "MYSQL_SOCKET=$S/s.sock" MYSQL_ROOT_USER=root MYSQL_USER=cdc \
    MYSQL_PASSWORD=cdcpw "MYSQL_DATADIR=$S/data" "MYSQL_BINLOG=$S/binlog/mysql-bin"
}
server_main "$@"
