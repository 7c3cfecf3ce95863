#!/bin/bash
# deps.sh [--list] ROLE... - Debian packages that Pillion needs, by role: build, mysqlclient, runtime, python, demo, test, servers.
#
# The one place that names packages.  Used by the demo, test.sh, docker/Dockerfile and the chroot builds, on Debian 12
# (bookworm), 13 (trixie) and sid, with the mirror that the machine is configured for.  Nothing touches the network
# when everything is there.  --list prints the names that would be installed, one per line.
#
# In the tables `a|b|c` is the first of these names that the release has (sonames differ between releases), and
# `command=package` wants the package only where the command is not on PATH (a JDK may have come another way).
set -euo pipefail

# libmongoc-dev is libmongoc 1.x in bookworm and trixie, 2.x in sid.  default-libmysqlclient-dev is MariaDB's client.
BUILD='build-essential cmake ninja-build pkg-config default-libmysqlclient-dev librdkafka-dev libmongoc-dev
  libavro-dev libcurl4-openssl-dev libssl-dev libyaml-dev libjansson-dev libmicrohttpd-dev libzstd-dev zlib1g-dev
  libdeflate-dev libsqlite3-dev libcmocka-dev'
# Oracle's client library, in sid only.  The two exclude each other: this role after `build` takes the other's place,
# and `build` takes it back.
MYSQLCLIENT='libmysqlclient-dev'
RUNTIME='ca-certificates libmariadb3 librdkafka1 libmongoc2-2|libmongoc-1.0-0t64|libmongoc-1.0-0
  libbson2-2|libbson-1.0-0t64|libbson-1.0-0 libavro24|libavro23
  libcurl4t64|libcurl4 libssl3t64|libssl3 libyaml-0-2 libjansson4 libmicrohttpd12t64|libmicrohttpd12 libzstd1 zlib1g
  libdeflate0 libsqlite3-0'
PYTHON='ca-certificates python3 python3-venv'
DEMO='mariadb-server-core mariadb-client-core openssl=openssl python3 python3-pymysql'
TEST='clang libclang-rt-dev|libclang-rt-14-dev clang-format shellcheck git=git curl=curl openssl=openssl'
# The -core packages hold the programs alone: no service is set up or started.
SERVERS='mariadb-server-core mariadb-client-core debootstrap ca-certificates curl=curl openssl=openssl
  java=default-jre-headless mvn=maven'

die() { printf 'deps: %s\n' "$*" >&2; exit 1; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
known() { [[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) == *'Candidate: '[!\(]* ]]; }

# missing WANTED... : prints those of them that are not there, in the tables' own notation
missing() {
  local want name
  for want; do
    case $want in
      *=*) command -v "${want%%=*}" >/dev/null || echo "${want#*=}" ;;
      *) for name in ${want//|/ }; do installed "$name" && continue 2; done; echo "$want" ;;
    esac
  done
}
# choose WANTED : of a|b|c the first that this release has
choose() {
  local name
  for name in ${1//|/ }; do if known "$name"; then echo "$name"; return 0; fi; done
  die "no package called ${1//|/ or } in the configured apt sources; add a Debian 12, 13 or sid mirror to /etc/apt"
}

list=0; [ "${1:-}" = --list ] && { list=1; shift; }
[ $# -gt 0 ] || die 'usage: deps.sh [--list] build|mysqlclient|runtime|python|demo|test|servers ...'
command -v apt-get >/dev/null || die 'this needs apt (Debian 12, 13 or sid); elsewhere install what the tables in this file name'
want=()
for role; do
  case $role in
    build) table=$BUILD ;; mysqlclient) table=$MYSQLCLIENT ;; runtime) table=$RUNTIME ;;
    python) table=$PYTHON ;; demo) table=$DEMO ;; test) table=$TEST ;; servers) table=$SERVERS ;; *) die "unknown role '$role'" ;;
  esac
  read -r -d '' -a words <<<"$table" || true
  want+=("${words[@]}")
done
if [ $list = 1 ]; then
  for w in "${want[@]}"; do choose "${w#*=}"; done
  exit 0
fi

mapfile -t need < <(missing "${want[@]}")
[ ${#need[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || die "these packages are missing: ${need[*]}; run 'sudo $0 $*' once"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
log=$(mktemp); trap 'rm -f "$log"' EXIT
apt() { apt-get -q -o DPkg::Lock::Timeout=600 "$@" >>"$log" 2>&1 || { tail -n 30 "$log" >&2; die "apt-get $1 failed"; }; }
apt update
names=(); for w in "${need[@]}"; do name=$(choose "$w"); names+=("$name"); done
printf 'deps: installing %s\n' "${names[*]}" >&2
apt install -y --no-install-recommends "${names[@]}"
