#!/usr/bin/env bash
# Searches the model of the handover with spin, all policies and all deliberate mistakes, and
# compares with verdicts.txt. Exits with 1 when a verdict is another, or a search was not whole.
#
#   tests/model/verify.sh [POLICY]                      the table, of one policy only if named
#   tests/model/verify.sh --story POLICY [FLAG...]      how a property is broken, step by step
#   tests/model/verify.sh --deep                        two controllers and two faults at once
set -euo pipefail
export LC_ALL=C.UTF-8

folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
commands=(begin receive stream cancel move take_over claim release settle_target void continue
  settle_source)
properties=(one_runs none_lost source_kept resumed_on_evidence owner_follows never_stuck valid_end
  no_operator ends)
memory_mib_max=2048
depth_max=1000000

say() { printf '%s\n' "$*"; }

for program in spin gcc; do
  command -v "$program" > /dev/null || {
    say "$program is missing; tests/run.sh installs it" >&2
    exit 1
  }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# search OPTIMISE FLAG...: leaves the searcher's words in $work/found.
search() {
  local optimise=$1
  shift
  (
    cd "$work"
    rm -f ./*.trail found pan
    timeout 60 spin "$@" -o3 -a "$folder/handover.pml" > spin.log 2>&1 || {
      cat spin.log >&2
      return 1
    }
    timeout 300 gcc "$optimise" -w -DSAFETY -DNOREDUCE -DVECTORSZ=512 "-DMEMLIM=$memory_mib_max" \
      ${shortest:+-DBFS} -o pan pan.c || return 1
    timeout 600 ./pan -n "-m$depth_max" > found 2>&1 || return 1
  )
}

# A search is whole when it ended by itself with room left, or at the first mistake.
whole() { ! grep -qE 'max search depth|Search not completed|out of memory' "$1"; }
mistakes() { sed -nE 's/.*errors: ([0-9]+).*/\1/p' "$work/found" 2> /dev/null; }
states() {
  sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' "$work/found" 2> /dev/null |
    awk '{printf "%d", $1}'
}

# without NAME...: the flags that leave these properties out.
without() { printf -- '-DWITHOUT_%s ' "$@"; }

# The steps of a trail in words.
story() {
  local i words='s/^ *//'
  for i in "${!commands[@]}"; do
    words+=";s/command $i\\b/${commands[$i]}/"
  done
  (cd "$work" && timeout 60 spin "$@" -k handover.pml.trail -T "$folder/handover.pml" 2>&1) |
    grep -E '^ *(controller|node|FAULT|spin: text)' |
    sed -E "$words;s/: 1\$/: yes/;s/: 2\$/: refused/;s/: 4\$/: no proof/"
}

# named POLICY: the properties that the usual model of this policy is known to break.
named() {
  awk -v p="$1" '$1 == p && $2 == "usual" && $3 != "rest" {print $3}' "$folder/verdicts.txt"
}

changed=0
# judge POLICY CHANGE PROPERTY VERDICT STATES
judge() {
  local policy=$1 change=$2 property=$3 expected=$4 least=$5 optimise=-O0 found one flags count
  local begin=$SECONDS left=()
  flags="-DPOLICY=$policy ${deep:-}"
  [[ $change == usual ]] || flags+=" -DMUTANT_$change"
  if [[ $property == rest ]]; then
    mapfile -t left < <(named "$policy")
    optimise=-Og
  else
    for one in "${properties[@]}"; do
      [[ $one == "$property" ]] || left+=("$one")
    done
  fi
  ((${#left[@]} == 0)) || flags+=" $(without "${left[@]}")"
  # shellcheck disable=SC2086
  if ! search "$optimise" $flags || [[ -z $(mistakes) ]]; then
    found=unsearched
  elif (($(mistakes) > 0)); then
    found=violated
  elif ! whole "$work/found"; then
    found=unsearched
  else
    found=holds
  fi
  count=$(states || true)
  printf '%-8s %-24s %-20s %-10s %10s states %4d s' "$policy" "$change" "$property" "$found" \
    "${count:-0}" $((SECONDS - begin))
  if [[ $found != "$expected" ]]; then
    printf '  CHANGED, was: %s\n' "$expected"
    changed=$((changed + 1))
    # shellcheck disable=SC2086
    [[ $found != violated ]] || story $flags | tail -n 60
    [[ $found != unsearched ]] || tail -n 5 "$work/found" 2> /dev/null || true
  elif [[ $least != - && ${count:-0} -lt $least ]]; then
    printf '  TOO FEW STATES, at least: %s\n' "$least"
    changed=$((changed + 1))
  else
    printf '\n'
  fi
}

deep=
shortest=
only=
case ${1:-} in
  --story)
    shift
    policy=$1
    shift
    shortest=yes
    search -O2 "-DPOLICY=$policy" "$@"
    (($(mistakes) > 0)) || {
      say "nothing is broken in $(states) states"
      exit 0
    }
    story "-DPOLICY=$policy" "$@"
    exit 0
    ;;
  --deep)
    deep=-DDEEP
    memory_mib_max=8192
    ;;
  -*)
    say "usage: tests/model/verify.sh [POLICY | --story POLICY [FLAG...] | --deep]" >&2
    exit 1
    ;;
  *) only=${1:-} ;;
esac

lines=0
while read -r policy change property verdict least; do
  [[ -z $policy || $policy == \#* ]] && continue
  [[ -z $only || $policy == "$only" ]] || continue
  [[ -z $deep || ($change == usual && $verdict == holds) ]] || continue
  judge "$policy" "$change" "$property" "$verdict" "$least"
  lines=$((lines + 1))
done < "$folder/verdicts.txt"
say "$lines verdicts, $changed changed, took $SECONDS s"
((changed == 0 && lines > 0))
