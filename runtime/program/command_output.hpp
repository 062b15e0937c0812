// What every command ends with: text on standard output, one line on standard error, an exit code.
// Rule: the only place where a command prints its result.
#pragma once

#include "actors/evacuation/plan.hpp"
#include "runtime/program/options.hpp"
#include "runtime/program/run_result.hpp"

#include <string>

namespace drover {

int as_int(outcome_code code);

/// To standard error; returns the exit code of a usage or internal error.
int complain(const error& e);

void print(const std::string& text);

/// What the command has told, or why not.
int answer_with(const result<std::string>& told);

int show_plan(const options& o, const plan& p);
int show_result(const options& o, const run_result& r);

} // namespace drover
