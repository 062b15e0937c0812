#!/usr/bin/env bash
# drover beside others on the same guests, turn and turn about: medians and ratios. Judges
# nothing; tests/bench/README.md says how to read the table. All words go to the comparison, but
# `micro`, whose words go to Google Benchmark:
#
#   tests/bench.sh                                  about 7 minutes on two cores
#   tests/bench.sh --vms 100 --streams 2 --rounds 3
#   tests/bench.sh --json new.json --compare old.json
#   tests/bench.sh --full                           the whole grid: about 35 minutes
#   tests/bench.sh scale                            500 VMs: about 10 minutes
#   tests/bench.sh memory                           about a minute
#   tests/bench.sh micro                            about half a minute
set -euo pipefail
# shellcheck source=tests/support/build.sh
source "$(dirname "${BASH_SOURCE[0]}")/support/build.sh"

deadline_s=14400
build_dir=${BUILD_DIR:-$repository/build}
trap 'stop_running; exit 130' INT TERM
ensure_packages "${packages_build[@]}" "${packages_run[@]}" "${packages_bench[@]}"
# A build that was configured before the package was there does not know it.
grep -qs drover_micro "$build_dir/build.ninja" || rm -f "$build_dir/build.ninja"
configure "$build_dir"
if [[ ${1:-} == micro ]]; then
  shift
  build "$build_dir" drover_micro
  bounded 600 "$build_dir/tests/bench/drover_micro" "$@"
else
  build "$build_dir" drover_bench
  bounded 14000 "$build_dir/tests/bench/drover_bench" "$@"
fi
