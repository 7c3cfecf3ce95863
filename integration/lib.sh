# shellcheck shell=bash
# lib.sh - shared by the scripts in this folder: cache and run folders, ports, processes, Debian folders, certificates.
# Source it; do not run it.
#
# Two folders, and nothing outside them:
#   CACHE  downloads and builds, shared by everybody, only ever added to under a lock   ($PILLION_CACHE)
#   RUN    one private set of servers: data, ports, logs, pids                          ($PILLION_RUN, the caller's)
# Only processes whose pid is in RUN are ever signalled.  Mounts are made in a private mount namespace, so that they
# end with the process that needs them, however it ends.
set -euo pipefail
umask 022
INTEGRATION=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${PILLION_CACHE:-${HOME:-/root}/.cache/pillion-integration}
mkdir -p "$CACHE/locks" "$CACHE/ports" "$CACHE/bin"

say() { printf '[%s] %s\n' "${NAME:-$(basename "$0" .sh)}" "$*" >&2; }
die() { say "FAILED: $*"; exit 1; }

# with_lock LOCK COMMAND... : one at a time on this machine (call it plainly, not in a condition: `set -e` must hold)
with_lock() { local lock=$1; shift; (flock 9; "$@") 9>"$CACHE/locks/$lock"; }

# ---- ports ---------------------------------------------------------------------------------------------------------
tcp_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port : a port below the kernel's ephemeral range, reserved for RUN for as long as that folder exists
free_port() (
  exec 9>"$CACHE/locks/ports"; flock 9
  while :; do
    port=$((20000 + RANDOM % 12000)); mark=$CACHE/ports/$port; owner=
    [ -s "$mark" ] && read -r owner <"$mark"
    [ -n "$owner" ] && [ -d "$owner" ] && continue
    tcp_open "$port" && continue
    printf '%s\n' "$RUN" >"$mark"; echo "$port"; return 0
  done
)

# ---- processes (S = RUN/<server>) ----------------------------------------------------------------------------------
# A killed process may stay a zombie until pid 1 reaps it, and its number may come again: state and start time count.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }
alive() {
  local pid start
  [ -s "$S/$1.pid" ] && [ -s "$S/$1.born" ] || return 1
  pid=$(<"$S/$1.pid"); start=$(born "$pid")
  [ -n "$start" ] && [ "$start" = "$(<"$S/$1.born")" ]
}
# launch PROCESS COMMAND... : a session of its own, log in S/PROCESS.log, pid in S/PROCESS.pid
launch() {
  local process=$1; shift
  alive "$process" && return 0
  setsid "$@" >"$S/$process.log" 2>&1 </dev/null &
  echo $! >"$S/$process.pid"; born $! >"$S/$process.born"
}
# wait_ready PROCESS SECONDS COMMAND... : until COMMAND succeeds; dies at once when the process does
wait_ready() {
  local process=$1 seconds=$2 end=$((SECONDS + $2)); shift 2
  until "$@" >/dev/null 2>&1; do
    if ! alive "$process"; then tail -n 30 "$S/$process.log" >&2; die "$process ended while starting; log above, all of it in $S/$process.log"; fi
    if ((SECONDS >= end)); then tail -n 30 "$S/$process.log" >&2; die "$process is not ready after $seconds s; log above, all of it in $S/$process.log"; fi
    sleep 0.1
  done
}
# end PROCESS [SIGNAL [SECONDS]] : asks, waits, then insists
end() {
  local process=$1 signal=${2:-TERM} tries=$((${3:-30} * 10)) pid
  if alive "$process"; then
    pid=$(<"$S/$process.pid"); kill -"$signal" "$pid" 2>/dev/null || true
    while alive "$process" && ((tries-- > 0)); do sleep 0.1; done
    if alive "$process"; then
      say "$process did not stop, killing it"; kill -9 -- "-$pid" 2>/dev/null || kill -9 "$pid" || true
      while alive "$process"; do sleep 0.1; done
    fi
  fi
  rm -f "$S/$process.pid" "$S/$process.born"
}

# ---- Debian folders ------------------------------------------------------------------------------------------------
need_root() { [ "$(id -u)" = 0 ] || die "$1 runs in a Debian folder by chroot, which needs root"; }

# root_make SUITE : CACHE/root-SUITE, a minimal Debian, made once, with the mirror and the apt settings of this machine.
# SUITE-slim is a second one of the suite, to which nothing is added (as the Docker images of that name).
root_make() {
  local suite=$1 dir=$CACHE/root-$1 tmp=$CACHE/root-$1.new mirror
  [ -e "$dir/.made" ] && return 0
  need_root "$suite"
  [ -x /usr/sbin/debootstrap ] || bash "$INTEGRATION/deps.sh" servers
  mirror=${DEBIAN_MIRROR:-$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -nE 's/^(deb|URIs:) *(\[[^]]*\] *)?(https?:[^ ]+).*/\3/p' | grep -m 1 -i debian || true)}
  say "making a Debian $suite folder (about a minute)"
  rm -rf "$dir" "$tmp"
  debootstrap --variant=minbase --include=ca-certificates "${suite%-slim}" "$tmp" "${mirror:-http://deb.debian.org/debian}" >"$CACHE/root-$suite.log" 2>&1 ||
    { tail -n 20 "$CACHE/root-$suite.log" >&2; die "debootstrap $suite"; }
  printf '#!/bin/sh\nexit 101\n' >"$tmp/usr/sbin/policy-rc.d"; chmod 755 "$tmp/usr/sbin/policy-rc.d"   # no service starts
  apt-config dump | grep -E '^Acquire::(Check-|https?::Proxy)' >"$tmp/etc/apt/apt.conf.d/90host" || true
  mkdir -p "$tmp/etc/postgresql-common"; echo 'create_main_cluster = false' >"$tmp/etc/postgresql-common/createcluster.conf"
  : >"$tmp/.made"; mv "$tmp" "$dir"
}
# in_root COMMAND... : see chroot.sh, which does it
in_root() { bash "$INTEGRATION/chroot.sh" "$@"; }
# root_add SUITE PACKAGE... : packages into the folder
root_add() {
  local suite=$1 missing=() p; shift
  for p; do
    [ "$(dpkg-query --admindir="$CACHE/root-$suite/var/lib/dpkg" -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "adding ${missing[*]} to the $suite folder"
  cp -L /etc/resolv.conf /etc/hosts "$CACHE/root-$suite/etc/"
  # shellcheck disable=SC2016
  in_root "$suite" sh -euc 'apt-get -q update; apt-get -q install -y --no-install-recommends "$@"; apt-get clean' apt "${missing[@]}" \
    >"$CACHE/root-$suite.log" 2>&1 || { tail -n 20 "$CACHE/root-$suite.log" >&2; die "apt-get install in the $suite folder"; }
}

# root_with SUITE PACKAGE... : both of the above, to be called under the lock root-SUITE
root_with() { root_make "$1"; root_add "$@"; }

# ---- certificates --------------------------------------------------------------------------------------------------
# tls_make : CACHE/tls/{ca.crt,server.crt,server.key,server.pem}, one test authority and one certificate for
# localhost and 127.0.0.1, good for 30 years
tls_make() {
  local dir=$CACHE/tls tmp=$CACHE/tls.new
  [ -s "$dir/server.pem" ] && return 0
  rm -rf "$tmp"; mkdir -p "$tmp"
  (
    cd "$tmp"
    openssl req -x509 -newkey rsa:2048 -nodes -days 10950 -subj '/CN=Pillion test authority' -keyout ca.key -out ca.crt
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 10950 -out server.crt \
      -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth')
    cat server.crt server.key >server.pem
  ) >"$CACHE/tls.log" 2>&1 || { tail -n 5 "$CACHE/tls.log" >&2; die 'openssl could not make the test certificates'; }
  mv "$tmp" "$dir"
}

# ---- Maven ---------------------------------------------------------------------------------------------------------
# maven FOLDER GOAL ARGS... : runs one goal in FOLDER (which holds pom.xml), with the machine's own Maven settings
maven() {
  local dir=$1; shift
  if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then bash "$INTEGRATION/deps.sh" servers; fi
  (cd "$dir" && mvn -B -q "$@" >maven.log 2>&1) || { tail -n 20 "$dir/maven.log" >&2; die "Maven could not fetch it; the log is above"; }
}

# ---- Go ------------------------------------------------------------------------------------------------------------
# go_install MODULE@VERSION FILE : builds one program from its module.  With the machine's Go when that is 1.21 or newer
# (it may fetch a newer toolchain as the module asks), else with Debian sid's, inside the sid folder.
go_install() {
  local module=$1 file=$2 tmp=$2.new minor built v pass=()
  rm -rf "$tmp"; mkdir -p "$tmp"
  minor=$(go env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p') || true
  say "building $module (some minutes)"
  if [ "${minor:-0}" -ge 21 ]; then
    GOBIN=$tmp CGO_ENABLED=0 GOFLAGS='-buildvcs=false -p=2' go install "$module" >"$tmp.log" 2>&1 && built=1
  else
    need_root 'No Go 1.21 or newer is on PATH, and the one of Debian sid'
    with_lock root-sid root_with sid golang-go
    for v in GOPROXY GOSUMDB GONOSUMDB; do [ -z "${!v:-}" ] || pass+=("$v=${!v}"); done
    cp -L /etc/resolv.conf /etc/hosts "$CACHE/root-sid/etc/"; cp -L /etc/ssl/certs/ca-certificates.crt "$tmp/"
    in_root --share "$tmp" sid env GOBIN=/mnt GOPATH=/mnt/go GOCACHE=/mnt/cache GOMODCACHE=/mnt/go/mod CGO_ENABLED=0 \
      GOFLAGS='-buildvcs=false -p=2 -modcacherw' SSL_CERT_FILE=/mnt/ca-certificates.crt "${pass[@]}" \
      go install "$module" >"$tmp.log" 2>&1 && built=1
  fi
  [ -n "${built:-}" ] || { tail -n 20 "$tmp.log" >&2; die "Go could not build $module; install Go 1.21 or newer, or allow it the module proxy"; }
  mv "$(find "$tmp" -maxdepth 1 -type f -perm -u+x)" "$file"; rm -rf "$tmp" "$tmp.log"
}

# ---- one server ----------------------------------------------------------------------------------------------------
# server_main ACTION : the last line of servers/NAME.sh, which defines NAME, installed, install, start, env_lines and,
# where a plain SIGTERM to the process NAME is not enough, stop.
stop() { end "$NAME"; }
server_install() { if ! installed; then say 'installing'; install; installed || die 'installed, but it is not there'; fi; }
server_port() { # VARIABLE... : sets each to a port, the same again after a restart
  local v
  # shellcheck disable=SC1091
  [ -s "$S/ports" ] && . "$S/ports"
  for v; do [ -n "${!v:-}" ] || { printf -v "$v" %s "$(free_port)"; printf '%s=%s\n' "$v" "${!v}" >>"$S/ports"; }; done
}
server_main() {
  if [ "$1" = install ]; then with_lock "install-$NAME" server_install; return 0; fi
  RUN=$(realpath "${PILLION_RUN:?is the run folder; servers.sh sets it}"); S=$RUN/$NAME
  case $1 in
    start)
      local t=$EPOCHREALTIME
      with_lock "install-$NAME" server_install
      with_lock tls tls_make
      mkdir -p "$S"; start; env_lines >"$S/env.new"; mv "$S/env.new" "$S/env"
      say "ready in $(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $t }") s" ;;
    stop) [ -d "$S" ] || return 0; rm -f "$S/env"; stop ;;
    status) if [ -d "$S" ] && alive "$NAME"; then echo "$NAME up, pid $(<"$S/$NAME.pid")"; else echo "$NAME down"; return 1; fi ;;
  esac
}
