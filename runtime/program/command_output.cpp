#include "runtime/program/command_output.hpp"

#include "actors/evacuation/plan_text.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace drover {

int as_int(outcome_code code) { return static_cast<int>(code); }

int complain(const error& e) {
  std::fprintf(stderr, "drover: %s\n", to_string(e).c_str());
  return as_int(outcome_code::usage_or_internal);
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

int answer_with(const result<std::string>& told) {
  if (!told)
    return complain(told.error());
  print(*told);
  return as_int(outcome_code::all_moved);
}

int show_plan(const options& o, const plan& p) {
  print(o.out == output_format::json ? plan_json(p).dump(2) + "\n" : plan_table(p));
  return exit_code(p);
}

int show_result(const options& o, const run_result& r) {
  print(o.out == output_format::json ? to_json(r) : to_table(r));
  return as_int(r.code);
}

} // namespace drover
