#!/bin/bash
# venv.sh - prints the path of a Python that has requirements.txt installed, made in the cache when it is not there.
#   "$(integration/venv.sh)" my_test.py
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
NAME=venv
dir=$CACHE/venv-$(cat "$INTEGRATION/requirements.txt" <(python3 --version 2>&1) | sha256sum | cut -c1-12)
make() {
  [ -e "$dir/.made" ] && return 0
  bash "$INTEGRATION/deps.sh" python
  say 'making a Python environment'
  rm -rf "$dir"
  { python3 -m venv "$dir" && "$dir/bin/pip" install -q --disable-pip-version-check -r "$INTEGRATION/requirements.txt"; } >"$CACHE/venv.log" 2>&1 ||
    { tail -n 20 "$CACHE/venv.log" >&2; die 'pip could not install requirements.txt'; }
  touch "$dir/.made"
}
with_lock venv make >&2
echo "$dir/bin/python3"
