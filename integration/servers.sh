#!/bin/bash
# servers.sh {install|start|stop|status} [NAME...] | env | port | with NAME... -- COMMAND...
#
# Real servers for the tests and the demo, without Docker: mariadb mysql kafka registry minio ferretdb (all, when none is
# named; ferretdb speaks MongoDB's protocol).  One file each in servers/.  Everything listens on 127.0.0.1 alone, on free
# ports, and keeps its data, logs and pids in the run folder $PILLION_RUN, so sets live side by side.
#
#   export PILLION_RUN=$(mktemp -d); trap 'integration/servers.sh stop; rm -rf "$PILLION_RUN"' EXIT
#   integration/servers.sh start kafka mariadb      # installs what is missing (into $PILLION_CACHE), then starts
#   . "$PILLION_RUN/env"                            # KAFKA_BOOTSTRAP, MARIADB_PORT, ...  (also: servers.sh env)
# or, the same in one line:
#   integration/servers.sh with kafka mariadb -- python3 my_test.py
#
# `stop` then `start` brings a server back on its data and its port.  `port` prints one more free port for the caller's
# own use.  Arguments for a server's command line: MARIADB_ARGS, MYSQL_ARGS, KAFKA_ARGS (--override k=v), MINIO_ARGS, ...
# A server that cannot be installed or started is an error (exit 1), never left out.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ALL=(mariadb mysql kafka registry minio ferretdb)

# each ACTION NAME... : side by side; fails when one of them fails
each() {
  local action=$1 name pids=() names=() i failed=0; shift
  for name; do [ -e "$INTEGRATION/servers/$name.sh" ] || die "no server called '$name'; there are: ${ALL[*]}"; done
  for name; do bash "$INTEGRATION/servers/$name.sh" "$action" & pids+=($!) names+=("$name"); done
  for i in "${!pids[@]}"; do wait "${pids[i]}" || { failed=1; [ "$action" = status ] || say "$action of ${names[i]} failed"; }; done
  return $failed
}
collect() {
  local f
  { printf 'export PILLION_RUN=%q TLS_CA=%q\n' "$RUN" "$CACHE/tls/ca.crt"
    for f in "$RUN"/*/env; do [ -e "$f" ] && sed 's/^/export /' "$f"; done; } >"$RUN/env.new.$$"
  mv "$RUN/env.new.$$" "$RUN/env"
}
need_run() { [ -d "${PILLION_RUN:-}" ] || die 'set PILLION_RUN to an empty folder for the data (mktemp -d makes one)'; RUN=$(realpath "$PILLION_RUN"); }

action=${1:-}; [ $# -eq 0 ] || shift
case $action in
  install) each install "${@:-${ALL[@]}}" ;;
  start) need_run; failed=0; each start "${@:-${ALL[@]}}" || failed=1; collect; exit $failed ;;
  stop) need_run; failed=0; each stop "${@:-${ALL[@]}}" || failed=1; collect; exit $failed ;;
  status) need_run; each status "${@:-${ALL[@]}}" ;;
  env) need_run; cat "$RUN/env" ;;
  port) need_run; free_port ;;
  with)
    names=(); while [ $# -gt 0 ] && [ "$1" != -- ]; do names+=("$1"); shift; done
    [ $# -gt 1 ] || die 'usage: servers.sh with NAME... -- COMMAND...'; shift
    PILLION_RUN=$(mktemp -d "${TMPDIR:-/tmp}/pillion-run.XXXXXX"); export PILLION_RUN; need_run
    trap 'each stop "${names[@]}" || true; rm -rf "$PILLION_RUN"' EXIT
    trap 'exit 130' INT; trap 'exit 143' TERM
    each start "${names[@]}"; collect
    # shellcheck disable=SC1091
    . "$RUN/env"
    rc=0; "$@" || rc=$?; exit $rc ;;
  *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
