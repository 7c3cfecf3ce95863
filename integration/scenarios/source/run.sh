#!/usr/bin/env bash
# source: reads the binlog of a real MariaDB and a real MySQL as capture does (read_events.c): from the earliest log, by GTID set, by
# file and offset, from now on; plain, over TLS and by socket; and gets every kind of refusal with its code and remedy.
#
# It changes global settings, purges logs and stops servers, so it starts two of its own. Needs PILLION_BUILD (or PILLION), the
# build folder whose libraries are tested, and root (MySQL runs by chroot, see ../../servers/mysql.sh).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); integration=$here/../..; tree=$integration/..
: "${PILLION_BUILD:=$(dirname "${PILLION:?the pillion program, or PILLION_BUILD}")}"
PILLION_RUN=$(mktemp -d "${TMPDIR:-/tmp}/pillion-source.XXXXXX"); export PILLION_RUN
out=$PILLION_RUN/out; mkdir "$out"
readers=()
finish() {
  local pid
  for pid in "${readers[@]}"; do kill "$pid" 2>/dev/null || true; done
  for name in mariadb mysql; do [ ! -s "$PILLION_RUN/$name/$name.pid" ] || kill -CONT "$(<"$PILLION_RUN/$name/$name.pid")" 2>/dev/null || true; done
  bash "$integration/servers.sh" stop mariadb mysql >/dev/null 2>&1 || true
  rm -rf "$PILLION_RUN"
}
trap finish EXIT
trap 'exit 130' INT; trap 'exit 143' TERM

library=$(sed -n 's/^PILLION_MYSQL:STRING=//p' "$PILLION_BUILD/CMakeCache.txt")
for name in $library libmariadb mariadb mysqlclient; do if pkg-config --exists "$name"; then library=$name; break; fi; done
reader=$PILLION_RUN/read_events
# shellcheck disable=SC2046
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -I"$tree/src" "$here/read_events.c" \
  "$PILLION_BUILD"/libpillion_{mysql,binlog,model,base}.a $(pkg-config --libs "$library" libzstd zlib) -ldeflate -lm -lpthread \
  ${READ_EVENTS_FLAGS:-} -o "$reader"

bash "$integration/servers.sh" start mariadb mysql
# shellcheck disable=SC1091
. "$PILLION_RUN/env"

flavor=''; checks=0
say() { printf 'source: %s: %s\n' "$flavor" "$*"; }
fail() { printf 'source: %s: FAILED: %s\n' "$flavor" "$*" >&2; tail -n 20 "$out"/last* >&2; exit 1; }
sql() { mariadb --no-defaults --protocol=tcp -h127.0.0.1 -P"$port" -uroot -BN -e "$1"; }
# read_as USER PASSWORD ARG... : stdout in last.out, stderr in last.err
read_as() {
  local user=$1 password=$2; shift 2
  READ_EVENTS_PASSWORD=$password timeout 60 "$reader" host="${host:-127.0.0.1}" port="$port" user="$user" "$@" >"$out/last.out" 2>"$out/last.err"
}
good() { checks=$((checks + 1)); read_as cdc cdcpw "$@" || fail "reading with $*"; }
# bad CODE WORDS USER PASSWORD ARG...
bad() {
  local code=$1 words=$2 rc=0; shift 2
  checks=$((checks + 1)); read_as "$@" || rc=$?
  [ $rc -ne 0 ] || fail "$* should have failed with $code"
  grep -q "^$code: " "$out/last.err" || fail "$* should have given $code"
  grep -qF -- "$words" "$out/last.err" || fail "$* should have said: $words"
  ! grep -qE 'cdcpw|tlspw|wrong-pass|coldpw' "$out/last.err" || fail "$* shows a password"
}
# finds WORDS REMEDY ARG... : the preflight's error
finds() {
  local words=$1 remedy=$2; shift 2
  checks=$((checks + 1))
  ! read_as "$@" check=1 || fail "the preflight should have found: $words"
  grep -F -- "$words" "$out/last.out" | grep '^error: ' | grep -qF -- "$remedy" || fail "the preflight should have said: $words -> $remedy"
}
count() { grep -c "$1" "$out/last.out" || true; }
same() { checks=$((checks + 1)); [ "$1" = "$2" ] || fail "$3: $1, expected $2"; }
gtid_event='^GTID_EVENT\|^GTID_LOG_EVENT'
# background NAME ARG... : a reader that goes on; its pid is in $last
background() {
  local name=$1; shift
  # emptied here, not by the new process: `await` must not read what a former reader of that name said
  : >"$out/$name.out"; : >"$out/$name.err"
  READ_EVENTS_PASSWORD=cdcpw "$reader" host=127.0.0.1 port="$port" user=cdc "$@" >"$out/$name.out" 2>"$out/$name.err" &
  last=$!; readers+=("$last")
}
# await FILE WORDS SECONDS
await() {
  local end=$((SECONDS + $3))
  until grep -qF -- "$2" "$out/$1"; do
    ((SECONDS < end)) || { cp "$out/$1" "$out/last.err"; fail "$1 does not say '$2' within $3 s"; }
    sleep 0.05
  done
  checks=$((checks + 1))
}

one_server() {
  local total gtids first file offset last_file big plain_md5 i

  say 'setting up'
  sql "CREATE DATABASE shop; CREATE TABLE shop.rides (id INT PRIMARY KEY, note VARCHAR(20)); CREATE TABLE shop.blobs (id INT PRIMARY KEY, b LONGBLOB)"
  first=$(sql "SELECT @@GLOBAL.$executed")
  for i in 1 2 3 4 5; do sql "INSERT INTO shop.rides VALUES ($i, 'ride')"; done
  read -r file offset _ <<<"$(sql "$status")"
  gtids=$(sql "SELECT @@GLOBAL.$executed")
  sql "INSERT INTO shop.rides VALUES (6, 'after the mark'); FLUSH BINARY LOGS; INSERT INTO shop.rides VALUES (7, 'second file')"

  say 'reading from the earliest log, by GTID set and by file and offset'
  good from=earliest tls=off; total=$(count "$gtid_event"); plain_md5=$(grep -v '^events=\|^BINLOG_CHECKPOINT' "$out/last.out" | md5sum)
  grep -q '^FORMAT_DESCRIPTION_EVENT' "$out/last.out" || fail 'no format description'
  same "$total" "$((10 + base))" 'transactions from the earliest log'
  good from=earliest tls=required; same "$(grep -v '^events=\|^BINLOG_CHECKPOINT' "$out/last.out" | md5sum)" "$plain_md5" 'the stream over TLS'
  good from=earliest tls=verify-identity ca="$TLS_CA"
  good from="gtid:$first" tls=off; same "$(count "$gtid_event")" 7 'transactions after the first GTID set'
  good from="gtid:$gtids" tls=required server_position=1; same "$(count "$gtid_event")" 2 'transactions after the second GTID set'
  grep -q "^server .*gtids=$(sql "SELECT @@GLOBAL.$executed" | tr -d '\n')" "$out/last.out" || fail 'the server position lacks its GTIDs'
  good from="file:$file:$offset" tls=off; same "$(count "$gtid_event")" 2 'transactions after file and offset'
  grep -qF "start $file:$offset gtids=$(tr -d '\n' <<<"$gtids")" "$out/last.out" || fail 'the GTIDs before file and offset are wrong'
  good from=latest; same "$(count "$gtid_event")" 0 'transactions from now on'
  checks=$((checks + 1))
  READ_EVENTS_PASSWORD=cdcpw "$reader" socket="$socket" user=cdc from=earliest quiet=1 >"$out/last.out" 2>"$out/last.err" || fail 'by socket'

  say 'an event of more than one packet'
  big=20000000
  sql "INSERT INTO shop.blobs VALUES (1, REPEAT('x', $big))"
  for tls in off required; do
    good from="gtid:$gtids" tls=$tls
    awk -v n=$big '/ROWS/ { split($3, s, "="); if (s[2] > n) seen = 1 } END { exit !seen }' "$out/last.out" || fail "no event of $big bytes, tls=$tls"
  done

  say 'following the log'
  background live from=latest until=1000000 name=live heartbeat_ms=200
  await live.out HEARTBEAT 20
  sql "INSERT INTO shop.rides VALUES (100, 'live')"
  await live.out XID 20
  # the same capture again takes the place of its old stream instead of being refused
  good from=latest name=live
  kill "$last" 2>/dev/null || true; wait "$last" 2>/dev/null || true

  say 'a server that hangs, and one that goes away'
  background hung from=latest until=1000000 name=hung heartbeat_ms=300 tls=off
  background hung_tls from=latest until=1000000 name=hung-tls heartbeat_ms=300 tls=required
  await hung.out HEARTBEAT 20
  await hung_tls.out HEARTBEAT 20
  kill -STOP "$(<"$PILLION_RUN/$flavor/$flavor.pid")"
  await hung.err 'ERR_MYSQL_CONNECT: The source server sent nothing' 10
  await hung_tls.err 'ERR_MYSQL_CONNECT: ' 40 # the library waits at least 20 s
  kill -CONT "$(<"$PILLION_RUN/$flavor/$flavor.pid")"
  background gone from=latest until=1000000 name=gone heartbeat_ms=300
  await gone.out HEARTBEAT 20
  bash "$integration/servers.sh" stop "$flavor" >/dev/null 2>&1
  await gone.err 'ERR_MYSQL_CONNECT: ' 10
  bad ERR_MYSQL_CONNECT 'source.port' cdc cdcpw
  bash "$integration/servers.sh" start "$flavor" >/dev/null 2>&1

  say 'logins'
  bad ERR_MYSQL_AUTH 'source.password' cdc wrong-pass
  bad ERR_MYSQL_AUTH 'source.password' nobody wrong-pass
  bad ERR_MYSQL_AUTH 'source.tls' tls tlspw tls=off
  read_as tls tlspw tls=required quiet=1 || fail 'the account that requires TLS'
  bad ERR_MYSQL_AUTH 'source.tls.ca' cdc cdcpw tls=verify-identity
  host=no-such-host.invalid bad ERR_MYSQL_CONNECT 'source.host' cdc cdcpw

  say 'rights'
  sql "SET SESSION sql_log_bin=0; CREATE USER reader@'%' IDENTIFIED BY 'cdcpw'; GRANT SELECT ON *.* TO reader@'%'"
  sql "SET SESSION sql_log_bin=0; CREATE USER half@'%' IDENTIFIED BY 'cdcpw'; GRANT $client ON *.* TO half@'%'"
  bad ERR_MYSQL_GRANT "GRANT $client ON *.*" reader cdcpw
  bad ERR_MYSQL_GRANT 'GRANT REPLICATION SLAVE ON *.*' half cdcpw
  finds 'lacks REPLICATION SLAVE' "GRANT REPLICATION SLAVE ON *.* TO 'reader'@'%';" reader cdcpw
  finds "lacks $client" "GRANT $client ON *.* TO 'reader'@'%';" reader cdcpw
  good check=1

  say 'settings'
  sql "SET GLOBAL binlog_format = STATEMENT"
  finds 'binlog_format is STATEMENT' 'SET GLOBAL binlog_format = ROW;' cdc cdcpw
  sql "SET GLOBAL binlog_format = ROW; SET GLOBAL binlog_row_metadata = MINIMAL"
  finds 'binlog_row_metadata is MINIMAL' 'SET GLOBAL binlog_row_metadata = FULL;' cdc cdcpw
  [ $flavor = mysql ] || { sql "SET GLOBAL binlog_row_metadata = NO_LOG"; finds 'binlog_row_metadata is NO_LOG' 'SET GLOBAL binlog_row_metadata = FULL;' cdc cdcpw; }
  sql "SET GLOBAL binlog_row_metadata = FULL; SET GLOBAL binlog_row_image = MINIMAL"
  finds 'binlog_row_image is MINIMAL' 'SET GLOBAL binlog_row_image = FULL;' cdc cdcpw
  sql "SET GLOBAL binlog_row_image = FULL"
  if [ $flavor = mysql ]; then
    sql "SET GLOBAL binlog_row_value_options = PARTIAL_JSON"
    finds 'binlog_row_value_options is PARTIAL_JSON' "SET GLOBAL binlog_row_value_options = '';" cdc cdcpw
    sql "SET GLOBAL binlog_row_value_options = ''"
  fi
  sql "SET GLOBAL binlog_expire_logs_seconds = 3600"
  good check=1; grep -q '^warn: logs are kept for 1.0 hours only' "$out/last.out" || fail 'short retention is not told'
  sql "SET GLOBAL binlog_expire_logs_seconds = 0"
  sql "CREATE TABLE shop.seats (id INT PRIMARY KEY, ride INT, CONSTRAINT of_ride FOREIGN KEY (ride) REFERENCES shop.rides (id) ON DELETE CASCADE); CREATE TABLE shop.loose (a INT)"
  if [ $flavor = mysql ]; then
    good check=1 # 9.6 and newer log what cascades change
  else
    finds 'foreign key of_ride of shop.seats has ON DELETE CASCADE' 'RESTRICT' cdc cdcpw
  fi
  grep -q '^warn: table shop.loose has no primary key' "$out/last.out" || fail 'the table without a key is not told'
  sql "DROP TABLE shop.seats, shop.loose"

  say 'server ids'
  bad ERR_MYSQL_SERVER_ID "source server's own" cdc cdcpw id="$(sql 'SELECT @@server_id')"
  background first from=latest until=1000000 name=first id=4711 heartbeat_ms=200 tls=off
  [ -e "$out/first.out" ] || sleep 0.2; await first.out HEARTBEAT 20
  if [ $flavor = mysql ]; then
    bad ERR_MYSQL_SERVER_ID '4711 is in use by another replica' cdc cdcpw id=4711 name=second
    finds '4711 is in use by another replica' 'source.server_id' cdc cdcpw id=4711
  else
    # listing replicas takes a right of its own here; without it the server ends the older stream, which then says why
    bad ERR_MYSQL_SERVER_ID '4711 is in use by another replica' root '' id=4711 name=second
    good from=latest id=4711 name=second
    await first.err 'ERR_MYSQL_SERVER_ID: ' 20
  fi
  kill "$last" 2>/dev/null || true; wait "$last" 2>/dev/null || true

  say 'positions'
  bad ERR_POSITION_FOREIGN 'not between two transactions' cdc cdcpw from="file:$file:$((offset + 5))"
  bad ERR_POSITION_FOREIGN 'lies outside of the file' cdc cdcpw from="file:$file:99999999"
  bad ERR_POSITION_FOREIGN 'has no log file' cdc cdcpw from=file:mysql-bin.009999:4
  bad ERR_POSITION_FOREIGN 'does not belong to this server' cdc cdcpw from="gtid:$foreign"
  sql 'FLUSH BINARY LOGS'
  read -r last_file _ <<<"$(sql "$status")"
  for i in 1 2 3 4 5 6 7 8 9 10; do
    sql "PURGE BINARY LOGS TO '$last_file'"
    [ "$(sql 'SHOW BINARY LOGS' | wc -l)" -gt 1 ] || break
    sleep 0.5 # a log may still be in use for recovery
  done
  bad ERR_POSITION_PURGED 'backfill' cdc cdcpw from="gtid:$first"
  bad ERR_POSITION_PURGED 'is purged' cdc cdcpw from="file:$file:$offset"
  sql "INSERT INTO shop.rides VALUES (200, 'after the purge')"
  good from=earliest server_position=1; same "$(count "$gtid_event")" 1 'transactions after the purge'
  grep -q "^start $last_file:4 gtids=..*" "$out/last.out" || fail 'the GTIDs before the earliest log are missing'

  say 'no log at all'
  bash "$integration/servers.sh" stop "$flavor" >/dev/null 2>&1
  MARIADB_ARGS=--skip-log-bin MYSQL_ARGS='--skip-log-bin --skip-log-replica-updates' bash "$integration/servers.sh" start "$flavor" >/dev/null 2>&1
  bad ERR_MYSQL_SETTING 'log_bin' cdc cdcpw
  finds 'writes no binary log' 'set log_bin' cdc cdcpw
}

flavor=mariadb port=$MARIADB_PORT socket=$MARIADB_SOCKET executed=gtid_binlog_pos status='SHOW MASTER STATUS' client='BINLOG MONITOR' foreign=0-1-99999999 base=0
one_server
flavor=mysql port=$MYSQL_PORT socket=$MYSQL_SOCKET executed=gtid_executed status='SHOW BINARY LOG STATUS' client='REPLICATION CLIENT' foreign=3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9 base=0
sql "SET SESSION sql_log_bin=0; CREATE USER cold@'%' IDENTIFIED BY 'coldpw'; GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO cold@'%'"
# never logged in before, so the server has no fast answer: the password goes over by the server's RSA key
read_as cold coldpw tls=off quiet=1 || fail 'a first login without TLS'
sql "SET SESSION sql_log_bin=0; ALTER USER cold@'%' IDENTIFIED BY 'coldpw'"
read_as cold coldpw tls=required quiet=1 || fail 'a first login over TLS'
one_server
printf 'source: %d checks passed with %s\n' "$checks" "$library"
