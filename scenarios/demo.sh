#!/usr/bin/env bash
# From a bare Debian 12 to 24 real VMs that leave a node: installs, builds what the demo needs, runs
# scenarios/local/demo.json. A second run builds nothing and takes seconds.
#
#   scenarios/demo.sh [OPTION...]    options of `drover run`, for example -o json
set -euo pipefail
# shellcheck source=tests/support/build.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/support/build.sh"

deadline_s=2400
build_dir=${BUILD_DIR:-$repository/build}

trap 'stop_running; exit 130' INT TERM
{
  ensure_packages "${packages_build[@]}" "${packages_run[@]}"
  configure "$build_dir"
  build "$build_dir" drover drover-agent drover_beacon
} >&2

cd "$repository"
# In the foreground, so that Ctrl-C reaches drover, which then cleans up; so does the time limit.
exec timeout --foreground --signal=INT --kill-after=60 600 \
  "$build_dir/runtime/bin/drover" run scenarios/local/demo.json "$@"
