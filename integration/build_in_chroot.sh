#!/bin/bash
# build_in_chroot.sh SUITE - builds Pillion and runs its unit tests in another Debian release (see chroot.sh; root needed).
#
# trixie is what the Docker image is built on.  sid has libmongoc 2 and Oracle's libmysqlclient, and is built with either
# client library.  The tree is copied in (tracked files and new ones, as they are in the work tree), never mounted, and
# the packages come from deps.sh, so this also shows that the list there is complete for the release.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -eq 1 ] || die 'usage: build_in_chroot.sh SUITE'
suite=$1 NAME=build-$1
tree=$(dirname "$INTEGRATION")
work=$(mktemp -d "${TMPDIR:-/tmp}/pillion-$suite.XXXXXX"); trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
(cd "$tree" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
  [ -e "$f" ] && printf '%s\0' "$f"; done | tar -c --null -T - -f -) | tar -x -C "$work/src"

steps=(build:libmariadb); [ "$suite" != sid ] || steps+=(mysqlclient:mysqlclient)
with_lock "root-$suite" root_make "$suite"
cp -L /etc/resolv.conf /etc/hosts "$CACHE/root-$suite/etc/"
for step in "${steps[@]}"; do
  with_lock "root-$suite" in_root --share "$work" "$suite" bash /mnt/src/integration/deps.sh "${step%:*}" python
  say "building with ${step#*:}"
  # shellcheck disable=SC2016
  in_root --share "$work" "$suite" sh -euc '
    cd /mnt/src
    cmake --preset release -B /mnt/build -DPILLION_MYSQL="$1"
    cmake --build /mnt/build -j "$2" -- -k 0
    ldd /mnt/build/pillion | grep "$1"
    # every library that the program names must come with a package of the role `runtime` (or the C library itself)
    bash integration/deps.sh --list runtime >/mnt/runtime
    [ "$1" = mysqlclient ] || for library in $(readelf -d /mnt/build/pillion | sed -n "s/.*NEEDED.*\\[\\(.*\\)\\].*/\\1/p"); do
      file=$(ldconfig -p | sed -n "s/^[[:space:]]*$library .*=> //p" | head -n 1)
      package=$(dpkg-query -S "$(realpath "$file")" "$file" 2>/dev/null | sed "s/:.*//" | head -n 1)
      case $package in libc6) continue ;; esac
      grep -qx "$package" /mnt/runtime || { echo "deps.sh: the role runtime lacks $package, which has $library" >&2; exit 1; }
    done
    ctest --test-dir /mnt/build --no-tests=error --output-on-failure -j "$2" -R "^unit/"' build "${step#*:}" "$(nproc)"
done
