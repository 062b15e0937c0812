// One run from its plan to its end, as its controller: written down, carried out, told. Rule: the
// one way for every command that moves VMs; nothing is touched before the plan is on the disk.
#pragma once

#include "runtime/program/interrupts.hpp"
#include "runtime/program/planning.hpp"
#include "runtime/program/process_lock.hpp"
#include "runtime/program/workplace.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace drover {

/// Where what is told of a run goes beside the journal.
struct wanted_report {
  std::string what;           ///< "evacuate-n1"
  std::filesystem::path base; ///< empty = none
  policy how = policy::ticket;

  /// Before anything is touched.
  static result<wanted_report> open(const std::string& folder, const std::string& name, policy how);
};

struct conducted {
  plan steps;
  /// The node that is evacuated; nullopt for a single migration.
  std::optional<node_id> cordon;
  wanted_report report;
  std::string settings = "{}"; ///< for the journal, see move_settings
  std::string lock_reason = "evacuation";
  /// A run that is taken up again: its id, and what it has come to before.
  std::string id{};
  std::optional<run_result> earlier{};
  std::vector<journal_vm> vms{};
  /// Called with the run's id once it has one.
  std::function<void(const std::string& id)> named{};
};

/// Returns the exit code. `w` has a log.
int conduct(const options& o, workplace& w, interrupts& signals, const conducted& what);

} // namespace drover
