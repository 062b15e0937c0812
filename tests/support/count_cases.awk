# CTest's JUnit file -> "PROGRAM PASSED FAILED", one line per test program, in test cases as Catch2
# counts them. A program of another kind is one case. Catch2 2.13 ends with either of
#   All tests passed (9 assertions in 3 test cases)
#   test cases: 3 | 2 passed | 1 failed
function flush() {
  if (name == "") return
  if (!known) { good = status == "run" ? 1 : 0; bad = 1 - good }
  else if (status != "run" && bad == 0) bad = 1   # it said passed, and then its exit code did not
  print name, good, bad
  name = ""
}
/<testcase / {
  flush()
  name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name)
  status = $0; sub(/.* status="/, "", status); sub(/".*/, "", status)
  known = 0; good = 0; bad = 0
}
/All tests passed \([0-9]+ assertions? in [0-9]+ test cases?\)/ {
  known = 1; line = $0
  sub(/.* assertions? in /, "", line); good = line + 0
}
/test cases: +[0-9]+ \|/ {
  known = 1; good = 0; bad = 0
  if (match($0, /[0-9]+ passed/)) good = substr($0, RSTART) + 0
  if (match($0, /[0-9]+ failed/)) bad = substr($0, RSTART) + 0
}
END { flush() }
