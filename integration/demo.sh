#!/bin/bash
# demo.sh [--rides N] [--users N] [--seconds S] [--keep] - from a MySQL commit to a silver document, on this machine alone.
#
# Installs what is missing with apt, builds Pillion, starts a private MariaDB in a temporary folder, lets many sessions write
# users and rides (a fifth of the rides are committed before one of their users), runs `pillion run` on its embedded defaults
# (Kafka inside the process, SQLite, folders), and has an independent reader watch silver all the while. Then it asks the
# stores themselves what they hold. Everything is in a temporary folder that is removed at the end; --keep leaves it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
NAME=demo
TREE=$(dirname "$INTEGRATION")
RIDES=60000 USERS=6000 SECONDS_OF_LOAD=20 KEEP=0
while [ $# -gt 0 ]; do
  case $1 in
    --rides) RIDES=$2; shift 2 ;; --users) USERS=$2; shift 2 ;; --seconds) SECONDS_OF_LOAD=$2; shift 2 ;;
    --keep) KEEP=1; shift ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; [ "$1" = --help ] && exit 0; exit 2 ;;
  esac
done

say 'packages'
bash "$INTEGRATION/deps.sh" build demo
PYTHON=/usr/bin/python3 # the one that apt's Python packages are for

WORK=$(mktemp -d "${TMPDIR:-/tmp}/pillion-demo.XXXXXX")
export PILLION_RUN=$WORK/servers; mkdir "$PILLION_RUN"
DAEMON='' WATCH=''
cleanup() {
  [ -z "$WATCH" ] || kill "$WATCH" 2>/dev/null || true
  [ -z "$DAEMON" ] || { kill "$DAEMON" 2>/dev/null && wait "$DAEMON"; } || true
  bash "$INTEGRATION/servers.sh" stop mariadb 2>/dev/null || true
  if [ "$KEEP" = 1 ]; then say "kept: $WORK"; else rm -rf "$WORK"; fi
}
trap cleanup EXIT; trap 'exit 130' INT; trap 'exit 143' TERM

say 'build'
cmake -S "$TREE" -B "$WORK/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPILLION_TESTS=OFF >"$WORK/build.log" 2>&1 &&
  cmake --build "$WORK/build" >>"$WORK/build.log" 2>&1 || { tail -n 30 "$WORK/build.log" >&2; die 'the build failed'; }
PILLION=$WORK/build/pillion

say 'a private MariaDB'
bash "$INTEGRATION/servers.sh" start mariadb
# shellcheck disable=SC1091
. "$PILLION_RUN/env"
mariadb --no-defaults --socket="$MARIADB_SOCKET" -uroot <"$INTEGRATION/workload/schema.sql"

cat >"$WORK/pillion.yaml" <<X
name: demo
data_dir: $WORK/data
contracts: $TREE/contracts
source:
  socket: $MARIADB_SOCKET
  user: cdc
  password_file: $WORK/password
  tables: ['shop\.users', 'shop\.rides']
bronze:
  object_interval: 2s
admin:
  listen: 127.0.0.1:$(bash "$INTEGRATION/servers.sh" port)
log:
  level: warn
X
(umask 077; printf '%s\n' "$MARIADB_PASSWORD" >"$WORK/password")
mkdir "$WORK/data"

say 'preflight'
"$PILLION" check -c "$WORK/pillion.yaml"

say "run: $USERS users, $RIDES rides, 8 sessions, $SECONDS_OF_LOAD s"
"$PILLION" run -c "$WORK/pillion.yaml" & DAEMON=$!
"$PYTHON" "$TREE/tests/checker/checker.py" watch --silver "sqlite://$WORK/data/documents.sqlite" --stop-file "$WORK/stop" \
  >"$WORK/watch.json" 2>"$WORK/watch.err" & WATCH=$!
"$PYTHON" "$INTEGRATION/workload/workload.py" --socket "$MARIADB_SOCKET" --users "$USERS" --rides "$RIDES" --sessions 8 \
  --early 0.22 --seconds "$SECONDS_OF_LOAD" >"$WORK/workload.json"
kill -0 "$DAEMON" 2>/dev/null || die 'pillion run ended; its messages are above'
"$PILLION" status -c "$WORK/pillion.yaml" --wait-caught-up 120 >"$WORK/status.txt" || { cat "$WORK/status.txt"; die 'the merger did not catch up'; }
touch "$WORK/stop"
watch_rc=0; wait "$WATCH" || watch_rc=$?; WATCH=''
"$PILLION" parked ls -c "$WORK/pillion.yaml" --limit 3 >"$WORK/parked.txt" || true
kill "$DAEMON"; wait "$DAEMON" || die 'pillion run did not end cleanly'; DAEMON=''

say 'what the stores say'
rc=0
check() { "$PYTHON" "$TREE/tests/checker/checker.py" "$@" --source-socket "$MARIADB_SOCKET" --silver "sqlite://$WORK/data/documents.sqlite" \
  --objects "file://$WORK/data/objects" --registry "file://$WORK/data/registry" --prefix demo || rc=1; }
{ check silver; check topics; check bronze; } >"$WORK/checks.json"
"$PYTHON" - "$WORK" <<'PY'
import json, sys
work = sys.argv[1]
load = lambda n: [json.loads(l) for l in open(f"{work}/{n}") if l.startswith("{")]
w, watch, checks = load("workload.json")[0], load("watch.json"), {c["check"]: c for c in load("checks.json")}
watch = watch[0] if watch else {"violations": "the watcher did not report", "rows_seen": 0, "looks": 0}
u, r = checks.get("silver users M4", {}), checks.get("silver rides M4", {})
print(f"""
  written by 8 sessions   {w['users']} users, {w['rides']} rides ({w['early']} before one of their users), {w['updates']} updates,
                          {w['cancelled']} cancellations, {w['moved']} moved to another driver, {w['ride_deletes']} rides and {w['user_deletes']} users deleted
  silver                  {u.get('silver')} users, {r.get('silver')} rides, {u.get('tombstones')} + {r.get('tombstones')} tombstones
  parked                  {r.get('parked')} rides, whose user never came
  M1, seen by a reader    {watch['violations']} rides visible without a user, in {watch['looks']} looks at {watch['rows_seen']} rows
  M4, silver and source   {'equal' if not (u.get('violations', 1) or r.get('violations', 1)) else 'NOT EQUAL'}
  C1 C2, changes          {checks.get('topics C1 C2', {}).get('changes')} changes, {checks.get('topics C1 C2', {}).get('violations')} lost, doubled or out of order
  bronze                  {checks.get('bronze M2', {}).get('records')} records in {checks.get('bronze M2', {}).get('objects')} objects, {checks.get('bronze M2', {}).get('violations')} violations
""")
for c in list(checks.values()) + [watch]:
    if c.get("kinds"):
        print("  violated:", c["check"], c["kinds"], c["examples"])
PY
sed 's/^/  /' "$WORK/parked.txt"
[ "$watch_rc" = 0 ] && [ "$rc" = 0 ] || { cat "$WORK/checks.json" "$WORK/watch.err"; die 'a promise was broken; see above'; }
say "done in $SECONDS s"
