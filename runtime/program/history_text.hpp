// Runs of the journal as JSON and as tables. Rule: pure; the table of a thing and its JSON are made
// of the same value.
#pragma once

#include "runtime/journal/journal.hpp"
#include "runtime/program/journal_rows.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// Whether a run is under way.
enum class run_status : std::uint8_t {
  running,
  /// By the operator; its controller waits.
  paused,
  cancelling,
  /// Not ended, and nobody carries it out: its controller has died.
  interrupted,
  ended,
};

std::string_view to_string(run_status state);

enum class run_life : std::uint8_t { carried_out, left_alone };

run_status status_of(const journal_run& run, run_life life);

/// A run with all that is shown of it.
struct told_run_row {
  journal_run run;
  run_status status = run_status::ended;
  std::vector<journal_vm> vms;
};

/// One line of the list: counts and pauses.
nlohmann::ordered_json run_in_short(const told_run_row& row);
/// Of such lines.
std::string runs_table(const nlohmann::ordered_json& runs);

nlohmann::ordered_json run_in_full(const told_run_row& row);
std::string run_table(const told_run_row& row);

/// "08:36:46.123  VM 101  phase_changed  from=queued to=streaming".
std::string event_line(const journal_event& event);

} // namespace drover
