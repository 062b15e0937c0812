# Shared by tests/run.sh and scenarios/demo.sh, which source it: install what this Debian lacks,
# configure, build, each step bounded and timed. Rule: no step waits for a person or a terminal.
# shellcheck shell=bash

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export CCACHE_DIR=${CCACHE_DIR:-${HOME:-/root}/.cache/ccache}
export LC_ALL=C.UTF-8

# prometheus-cpp's CMake config asks for zlib, cpp-httplib's header for zlib and brotli, although
# drover uses neither.
# shellcheck disable=SC2034
packages_build=(g++ cmake ninja-build ccache lld pkg-config binutils libcaf-dev nlohmann-json3-dev
  prometheus-cpp-dev zlib1g-dev libcurl4-openssl-dev libcpp-httplib-dev libbrotli-dev libssl-dev
  catch2 libasio-dev libcli11-dev libexpected-dev libfmt-dev libsqlite3-dev
  libssh2-1-dev git)
# shellcheck disable=SC2034
packages_run=(qemu-system-x86 procps)
# shellcheck disable=SC2034
packages_test=(prometheus clang-format jq spin gcc etcd-server openssl openssh-server
  openssh-client iproute2 chromium fonts-dejavu-core bsdutils libfuse3-dev)
# shellcheck disable=SC2034
packages_bench=(libbenchmark-dev openssh-server openssh-client)
command -v npm > /dev/null || packages_test+=(nodejs npm)

say() { printf '%s\n' "$*"; }
stage() { printf '\n== %s (at %s s)\n' "$*" "$SECONDS"; }

# bounded SECONDS COMMAND...: ends the command's whole process group at its own limit or at the
# script's deadline, whichever comes first. In the background, so that a trap is not kept waiting.
running=
bounded() {
  local limit=$1 left code=0
  shift
  left=$((${deadline_s:-3600} - SECONDS))
  ((left > 1)) || left=1
  ((limit < left)) || limit=$left
  timeout --kill-after=10 "$limit" "$@" < /dev/null &
  running=$!
  wait "$running" || code=$?
  running=
  ((code != 124)) || say "stopped after $limit s: $*" >&2
  return "$code"
}

# Ends what `bounded` runs; for traps.
stop_running() {
  [[ -z $running ]] && return 0
  kill -TERM "$running" 2> /dev/null || true
  wait "$running" 2> /dev/null || true
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null) == installed ]]
}

apt_get() {
  local as=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo > /dev/null || {
      say "installing packages needs root or sudo" >&2
      return 1
    }
    as=(sudo -n)
  fi
  bounded 900 "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

# ensure_packages NAME...: asks apt only for what dpkg does not have, and updates its lists only
# when they do not know a name.
ensure_packages() {
  local name missing=()
  for name in "$@"; do
    is_installed "$name" || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  say "installing: ${missing[*]}"
  apt_get install --no-install-recommends "${missing[@]}" > /dev/null 2>&1 && return 0
  apt_get update > /dev/null &&
    apt_get install --no-install-recommends "${missing[@]}" > /dev/null
}

# ensure_node_modules FOLDER: what the tests of tests/web need from npm, as the lock file says.
ensure_node_modules() {
  local folder=$1
  cmp -s "$repository/tests/web/package-lock.json" "$folder/package-lock.json" &&
    [[ -d $folder/node_modules ]] && return 0
  mkdir -p "$folder"
  cp "$repository"/tests/web/package{,-lock}.json "$folder/"
  bounded 300 npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts \
    > "$folder/npm.log" 2>&1 || {
    cat "$folder/npm.log" >&2
    rm -rf "$folder/node_modules"
    return 1
  }
}

# configure FOLDER [OPTION...]: only once; ninja asks CMake again when its files change.
configure() {
  local folder=$1
  shift
  mkdir -p "$CCACHE_DIR" "$folder"
  [[ -f $folder/build.ninja ]] && return 0
  bounded 300 cmake -S "$repository" -B "$folder" -G Ninja "$@" > "$folder/configure.log" 2>&1 || {
    cat "$folder/configure.log" >&2
    return 1
  }
}

# build FOLDER [TARGET...]: a progress line on a terminal, else only what fails.
build() {
  local folder=$1 options=()
  shift
  [[ -t 1 ]] || options=(--quiet)
  say "building in $folder; the first time takes minutes"
  bounded 3000 ninja -C "$folder" -j "$(nproc)" "${options[@]}" "$@"
}
