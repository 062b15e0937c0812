#!/usr/bin/env bash
# Applies the deliberately wrong changes of list.txt one at a time and tells what catches each.
# Usage: tests/mutations/run.sh [NAME...]. Exit code 1 when one survived or could not be judged.
# MUTATIONS_TREE: a copy of the checkout to work in and to keep, instead of a temporary one.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
list=$root/tests/mutations/list.txt
seeds=2000
tests=(agent_core_test handover_test lock_table_test node_session_test recovery_test)
if [[ -z ${CCACHE_DIR:-} && -d /root/.cache/ccache ]]; then
  export CCACHE_DIR=/root/.cache/ccache
fi

tree=${MUTATIONS_TREE:-}
made=
work=$(mktemp -d)
child=
changed=
original=
put_back() {
  if [[ -n $changed ]]; then
    printf '%s' "$original" >"$changed"
    changed=
  fi
}
clean_up() {
  if [[ -n $child ]]; then
    kill -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  put_back
  [[ -z $made ]] || rm -rf "$made"
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Runs a command in a process group of its own, so that clean_up can end all of it.
bounded() { # seconds log command...
  local limit=$1 log=$2 status=0
  shift 2
  setsid timeout -k 5 "$limit" "$@" >"$log" 2>&1 &
  child=$!
  wait "$child" || status=$?
  child=
  return $status
}

build() { bounded 1800 "$work/build.log" ninja -C "$tree/build" "$@"; }

prepare() {
  if [[ -z $tree ]]; then
    made=$(mktemp -d)
    tree=$made/drover
    mkdir "$tree"
    # A file that is deleted in the working tree is still listed.
    (cd "$root" && git ls-files -z --cached --others --exclude-standard |
      while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
      tar -cf - --null -T -) | tar -xf - -C "$tree"
    # The same source has the same cache entry in every temporary folder.
    export CCACHE_BASEDIR=$tree CCACHE_NOHASHDIR=1
  fi
  # A warning is not what should catch a wrong change.
  if ! bounded 600 "$work/build.log" cmake -S "$tree" -B "$tree/build" -G Ninja \
      -DDROVER_WERROR=OFF ||
    ! build "${tests[@]}" drover; then
    tail -n 40 "$work/build.log" >&2
    echo "the unchanged tree does not build" >&2
    exit 2
  fi
  local name
  for name in "${tests[@]}"; do
    programs[$name]=$(find "$tree/build" -type f -name "$name" -perm -u+x)
  done
  programs[drover]=$(find "$tree/build" -type f -name drover -perm -u+x)
}

# Sets `caught`; empty when the mutation survived.
judge() {
  local name status passed
  caught=
  if ! build "${tests[@]}"; then
    caught=build
    return
  fi
  for name in "${tests[@]}"; do
    if ! bounded 60 "$work/test.log" "${programs[$name]}"; then
      caught=$name
      return
    fi
  done
  if ! build drover; then
    caught=build
    return
  fi
  status=0
  bounded 120 "$work/seeds.log" env -C "$tree" "${programs[drover]}" run \
    scenarios/storm/all_faults.json --world sim --seeds "$seeds" --jobs 2 || status=$?
  # Out of time says nothing: a busy machine is slow as well.
  if ((status != 0 && status != 124 && status != 137)); then
    passed=$(awk '$2 == "passed" && NF == 2 { n = $1 } END { print n + 0 }' "$work/seeds.log")
    caught="seeds ($((seeds - passed)) of $seeds)"
  fi
}

apply() { # file find replace
  local rest before
  changed=
  original=$(cat "$tree/$1" && printf x)
  original=${original%x}
  before=${original%%"$2"*}
  rest=${original#*"$2"}
  if [[ $rest == "$original" || $rest == *"$2"* ]]; then
    return 1
  fi
  changed=$tree/$1
  printf '%s' "$before$3$rest" >"$changed"
}

run_one() { # name file find replace
  if ! apply "$2" "$3" "$4"; then
    printf '%-32s error: the text to find is not there exactly once in %s\n' "$1" "$2"
    failed=$((failed + 1))
    return
  fi
  judge
  put_back
  if [[ -n $caught ]]; then
    printf '%-32s caught by %s\n' "$1" "$caught"
  else
    printf '%-32s SURVIVED\n' "$1"
    failed=$((failed + 1))
  fi
}

is_wanted() {
  local name
  ((${#wanted[@]} > 0)) || return 0
  for name in "${wanted[@]}"; do
    [[ $name != "$1" ]] || return 0
  done
  return 1
}

declare -A programs=()
wanted=("$@")
failed=0
ran=0
for name in "${wanted[@]}"; do
  if ! grep -qxF "== $name" "$list"; then
    echo "no such mutation: $name" >&2
    exit 2
  fi
done
prepare
# The list is read on a descriptor of its own, so that nothing that runs can eat it.
while IFS= read -r line <&3; do
  case $line in
  "== "*) name=${line#== } ;;
  "file: "*) file=${line#file: } ;;
  "find: "*) find=${line#find: } ;;
  "replace: "*) replace=${line#replace: } ;;
  "caught by: "*)
    if is_wanted "$name"; then
      ran=$((ran + 1))
      run_one "$name" "$file" "$find" "$replace"
    fi
    ;;
  esac
done 3<"$list"
echo "$ran applied, $failed not caught"
((failed == 0))
