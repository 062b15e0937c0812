// `drover history` and `drover show`: what the journal tells of runs, past and present. Rule: it
// only reads; whether somebody carries a run out now is read from that process' lock.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/program/options.hpp"

#include <string>

namespace drover {

/// Every run, or what happened in one of them.
result<std::string> told_history(const options& o, const history_options& c);

/// The evacuations that have not ended.
result<std::string> told_evacuations(const options& o);

/// One run: what was planned, and where each VM stands.
result<std::string> shown_run(const options& o, const show_options& c);

} // namespace drover
