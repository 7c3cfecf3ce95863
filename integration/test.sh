#!/bin/bash
# test.sh [--quick] [STEP...] - everything that must hold before a change goes in; CI runs exactly this.
#
# Installs what is needed, builds with gcc and clang, with and without sanitizers, runs the unit tests, the lint, the
# simulator and the fuzzers (all of them ctest's), starts the real servers and runs every scenarios/*/run.sh against them, and builds and
# tests in Debian trixie and sid.  A failing step does not stop the others.  The last line is `N passed, M failed`, where
# each of ctest's tests, each scenario and each other step counts as one; the exit code is 0 only when M is 0.
#
#   --quick   the steps deps, shell and dev alone (a few minutes)
#   STEP...   these steps alone; their names are in the list STEPS below, and `scenario/NAME`
#
# Builds, data and logs are in a temporary folder that is removed at the end; downloads stay in the cache (lib.sh).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
NAME='test'
TREE=$(dirname "$INTEGRATION")
STEPS=(deps shell docker dev tsan clang release fuzz servers scenarios trixie image sid leftovers)
JOBS=$(nproc)
# seconds that a step may take
declare -A LIMIT=([deps]=1200 [servers]=2400 [trixie]=1800 [sid]=1800)

# ---- the steps: each runs in a process of its own, with $WORK, and fails by exit code -------------------------------
step_deps() {
  bash "$INTEGRATION/deps.sh" build python test servers
  bash "$INTEGRATION/venv.sh"
}
step_shell() {
  cd "$TREE"
  git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run | xargs -0 shellcheck --severity=warning
}
step_docker() { "$(bash "$INTEGRATION/venv.sh")" "$TREE/docker/check.py"; }
build() { # PRESET [OPTION OF cmake --build...]
  cd "$TREE"
  cmake --preset "$1" -B "$WORK/build-$1"
  cmake --build "$WORK/build-$1" -j "$JOBS" "${@:2}" -- -k 0
}
tests() { ctest --test-dir "$WORK/build-$1" --no-tests=error --output-on-failure -j "$JOBS" "${@:2}"; }
step_dev() { build dev; tests dev; }
step_tsan() {
  local flat=()
  # gcc's thread sanitizer wants the memory layout that it knows, which newer kernels randomise away
  ! setarch -R true 2>/dev/null || flat=(setarch -R)
  build tsan
  # librdkafka starts its threads in a way that the sanitizer cannot see; other libraries' races are not ours to report
  cc -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -shared -fPIC -o "$WORK/c11_threads.so" "$INTEGRATION/tsan/c11_threads.c"
  LD_PRELOAD=$WORK/c11_threads.so TSAN_OPTIONS="ignore_noninstrumented_modules=1 ${TSAN_OPTIONS:-}" "${flat[@]}" \
    ctest --test-dir "$WORK/build-tsan" --no-tests=error --output-on-failure -j "$JOBS" -R '^unit/'
}
step_clang() { build clang; }
step_release() { build release; tests release; }
step_fuzz() { build fuzz --target fuzz; tests fuzz -R '^fuzz/'; }
step_servers() { bash "$INTEGRATION/servers.sh" start; }
step_scenario() { # NAME
  [ -x "$WORK/build-release/pillion" ] || build release
  [ -x "$WORK/build-dev/pillion" ] || build dev
  [ -e "$PILLION_RUN/env" ] || bash "$INTEGRATION/servers.sh" start
  # shellcheck disable=SC1091
  . "$PILLION_RUN/env"
  mkdir -p "$WORK/tmp/$1"
  export TMPDIR=$WORK/tmp/$1 PILLION_BUILD=$WORK/build-release PILLION=$WORK/build-release/pillion PILLION_ASAN=$WORK/build-dev/pillion
  PYTHON=$(bash "$INTEGRATION/venv.sh"); export PYTHON
  bash "$INTEGRATION/scenarios/$1/run.sh"
}
step_image() { mkdir "$WORK/image"; "$(bash "$INTEGRATION/venv.sh")" "$TREE/docker/image.py" "$WORK/image"; }
step_trixie() { bash "$INTEGRATION/build_in_chroot.sh" trixie; }
step_sid() { bash "$INTEGRATION/build_in_chroot.sh" sid; }
# Everything that was started must be gone: processes are known by the run folder in their arguments or environment.
step_leftovers() {
  local proc found=0
  bash "$INTEGRATION/servers.sh" stop
  for proc in /proc/[0-9]*; do
    grep -qsaF -- "$WORK/tmp" "$proc/environ" "$proc/cmdline" || grep -qsaF -- "$WORK/run" "$proc/cmdline" || continue
    [ "${proc#/proc/}" != $$ ] || continue
    say "still running: ${proc#/proc/}: $(tr '\0' ' ' <"$proc/cmdline" | cut -c1-200)"; found=1
  done
  if grep -F "$WORK" /proc/mounts; then found=1; fi
  return $found
}

# ---- the runner ----------------------------------------------------------------------------------------------------
if [ "${1:-}" = --step ]; then
  step=$2; cd "$TREE"
  case $step in scenario/*) step_scenario "${step#*/}" ;; *) "step_$step" ;; esac
  exit 0
fi

table=() passed=0 failed=0
# count LOG RC : adds ctest's tests when the log tells of any, else one
count() {
  local all bad
  read -r all bad < <(sed -nE 's/.*tests passed, ([0-9]+) tests failed out of ([0-9]+).*/\1 \2/p' "$1" | awk '{ b += $1; a += $2 } END { print a + 0, b + 0 }')
  if ((all > 0)); then
    passed=$((passed + all - bad)) failed=$((failed + bad))
    # a step that failed outside its tests counts too
    if (($2 != 0 && bad == 0)); then failed=$((failed + 1)); fi
  elif (($2 == 0)); then passed=$((passed + 1))
  else failed=$((failed + 1)); fi
}
run() { # STEP
  local step=$1 log=$WORK/logs/${1//\//-}.log begin=$SECONDS rc=0 word=ok
  printf '%s  %s ...\n' "$(date -u +%H:%M:%S)" "$step"
  timeout -k 20 "${LIMIT[$step]:-1500}" bash "$INTEGRATION/test.sh" --step "$step" >"$log" 2>&1 </dev/null & child=$!
  wait "$child" || rc=$?
  child=
  if ((rc != 0)); then
    word=FAILED
    ((rc != 124)) || echo "the step took longer than ${LIMIT[$step]:-1500} s" >>"$log"
    printf -- '---- %s, exit code %d; the end of its log:\n' "$step" "$rc"
    grep -aE '\*\*\*Failed|error:|FAILED|\*\*\*Timeout' "$log" | head -n 20 || true
    printf -- '----\n'; tail -n 60 "$log"; printf -- '----\n'
  fi
  count "$log" "$rc"
  table+=("$(printf '%-28s %-7s %5d s' "$step" "$word" $((SECONDS - begin)))")
}

steps=()
for arg; do
  case $arg in --quick) steps+=(deps shell dev) ;; -*) die "unknown option $arg" ;; *) steps+=("$arg") ;; esac
done
[ ${#steps[@]} -gt 0 ] || steps=("${STEPS[@]}")
WORK=$(mktemp -d "${TMPDIR:-/tmp}/pillion-test.XXXXXX")
mkdir "$WORK/logs" "$WORK/run" "$WORK/tmp"
export WORK PILLION_RUN=$WORK/run
child=   # the step that runs; `timeout` passes its end on to the step's whole process group
# shellcheck disable=SC2154
trap '[ -z "$child" ] || { kill "$child"; wait "$child"; } || true; bash "$INTEGRATION/servers.sh" stop 2>/dev/null || true; rm -rf "$WORK"' EXIT
trap 'exit 130' INT; trap 'exit 143' TERM

for step in "${steps[@]}"; do
  if [ "$step" = scenarios ]; then
    for scenario in "$INTEGRATION"/scenarios/*/run.sh; do
      [ -e "$scenario" ] || die 'there are no scenarios'
      run "scenario/$(basename "$(dirname "$scenario")")"
    done
  else run "$step"; fi
done

printf '\n%-28s %-7s %7s\n' step result time
printf '%s\n' "${table[@]}"
printf '%-28s %-7s %5d s\n\n' all '' "$SECONDS"
echo "$passed passed, $failed failed"
((failed == 0))
