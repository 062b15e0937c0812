#!/usr/bin/env bash
# Everything that has to pass, from a bare Debian 12 on: installs, builds, tests with and without
# sanitizers, and ends with one line of counts. tests/README.md describes the rungs.
#
#   tests/run.sh            all labels
#   tests/run.sh --quick    the pure rung only, without sanitizers
#   BUILD_DIR=/x tests/run.sh
set -euo pipefail
# shellcheck source=tests/support/build.sh
source "$(dirname "${BASH_SOURCE[0]}")/support/build.sh"

deadline_s=4800
build_dir=${BUILD_DIR:-$repository/build}
quick=no
passed=0
failed=0
failures=()

case ${1:-} in
  "") ;;
  --quick) quick=yes ;;
  *)
    say "usage: tests/run.sh [--quick]" >&2
    exit 1
    ;;
esac

# The one closing line, whatever happened before.
finish() {
  local one
  for one in "${failures[@]}"; do
    say "failed: $one"
  done
  say "took $SECONDS s"
  say "$passed passed, $failed failed"
  ((failed == 0 && passed > 0)) || exit 1
  exit 0
}

fail_stage() {
  failures+=("$1")
  failed=$((failed + 1))
}

# count REPORT PREFIX: adds the test cases of one JUnit file by CTest. A Catch2 program tells its
# cases in its last line; one that ends without it (crash, time limit) counts as one failure.
count() {
  local name good bad
  while read -r name good bad; do
    passed=$((passed + good))
    failed=$((failed + bad))
    ((bad == 0)) || failures+=("$2$name ($bad)")
  done < <(awk -f "$repository/tests/support/count_cases.awk" "$1")
}

# run_tests NAME FOLDER JOBS CTEST_OPTION...
run_tests() {
  local name=$1 folder=$2 jobs=$3 report
  shift 3
  stage "test: $name"
  report=$folder/report-$name.xml
  rm -f "$report"
  bounded 4000 ctest --test-dir "$folder" --output-on-failure --no-tests=error --timeout 900 \
    --test-output-size-passed 1048576 --test-output-size-failed 10485760 \
    --test-output-truncation head --output-junit "$report" -j "$jobs" "$@" || true
  if [[ -s $report ]]; then
    count "$report" "$name: "
  else
    fail_stage "$name: ctest gave no report"
  fi
}

# shellcheck disable=SC2317
interrupted() {
  trap '' INT TERM
  stop_running
  fail_stage "interrupted"
  finish
}
trap interrupted INT TERM

stage "install"
ensure_packages "${packages_build[@]}" "${packages_run[@]}" "${packages_test[@]}" || {
  fail_stage "install"
  finish
}

stage "build"
{ configure "$build_dir" && build "$build_dir"; } || {
  fail_stage "build"
  finish
}

cores=$(nproc)
if [[ $quick == yes ]]; then
  run_tests pure "$build_dir" "$cores" -L '^pure$'
  finish
fi

ensure_node_modules "$build_dir/web" || fail_stage "npm"

stage "build with address and undefined-behaviour sanitizers"
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
if configure "$build_dir/asan" -DDROVER_SANITIZE=address,undefined && build "$build_dir/asan"; then
  run_tests sanitizers "$build_dir/asan" "$cores" -LE '^system$'
else
  fail_stage "build with sanitizers"
fi

run_tests quick "$build_dir" "$cores" -LE '^system$'
# One at a time: they measure pauses, and two would measure each other.
run_tests system "$build_dir" 1 -L '^system$'
finish
