#!/bin/bash
# chroot.sh [--share DIR] SUITE [COMMAND...] - makes a Debian folder (bookworm, trixie, sid ...) in the cache when it is
# not there, and runs COMMAND in it, with the host's folder DIR as /mnt.
#
# A SUITE with a slash in it is a folder of the caller's own, which is used as it is.
#
# The mounts that a program needs (/proc, /dev, /mnt) are made in a private mount namespace: they are never seen
# outside and end with the command, so nothing is left behind and the folder can be removed safely at any time.  The
# command takes the place of this process, so that its pid is the pid of the command.  Needs root.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
share=
[ "${1:-}" = --share ] && { share=$(realpath "$2"); shift 2; }
[ $# -gt 0 ] || die 'usage: chroot.sh [--share DIR] SUITE [COMMAND...]'
suite=$1; shift
need_root "$suite"
case $suite in */*) root=$(realpath "$suite") ;; *) root=$CACHE/root-$suite ;; esac
[ "$root" != "$CACHE/root-$suite" ] || [ -e "$root/.made" ] || with_lock "root-$suite" root_make "$suite"
[ $# -gt 0 ] || exit 0
# shellcheck disable=SC2016
exec unshare --mount --propagation private bash -euc '
  root=$1 share=$2; shift 2
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  [ -z "$share" ] || mount --bind "$share" "$root/mnt"
  exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
    ${no_proxy:+"no_proxy=$no_proxy"} "$@"' chroot "$root" "$share" "$@"
