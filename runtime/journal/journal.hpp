// Port: the journal of runs. Rule: what a call has answered is on the disk; a batch is there whole
// or not at all. It may be slow, so nobody calls it on a thread that serves VMs. Its errors:
// `invalid` what is there is no journal, or of a newer drover; `refused` it cannot be read or
// written (full, read-only, no permission).
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace drover {

/// What the operator wants of a run that has not ended.
enum class run_wish : std::uint8_t {
  go_on,
  /// Nothing new enters; a later controller does not go on by itself either.
  pause,
  cancel,
};

std::string_view to_string(run_wish wish);
std::optional<run_wish> run_wish_from_string(std::string_view text);

struct journal_run {
  std::string id;
  std::string what; ///< evacuate, migrate
  node_id node;     ///< that the VMs leave
  std::string cluster;
  std::string cluster_file; ///< absolute
  std::string controller;   ///< who carries it out, or did last
  policy how = policy::ticket;
  wall_time begun;
  std::string plan;     ///< as plan_json
  std::string settings; ///< JSON: what a later controller needs of the command line
  run_wish wish = run_wish::go_on;
  std::optional<wall_time> ended;
  std::string result; ///< as outcome_code; "superseded": a newer run has taken its place
  int exit_code = 0;

  bool operator==(const journal_run&) const = default;
};

/// One VM of a run: a step of the plan, or what the plan leaves where it is.
struct journal_vm {
  vm_id vm;
  std::uint32_t position = 0; ///< in the plan
  std::string name;
  node_id source;
  node_id target; ///< empty where it stays by plan
  std::uint64_t memory_bytes = 0;
  std::string phase; ///< planned, begun (written ahead), then as the handover tells; ended
  epoch number;      ///< of the last handover that was begun
  wall_time changed;
  std::string result; ///< moved, stayed, needs_operator; left_out: by plan; empty before its end
  std::string reason;
  std::optional<double> pause_s{};
  std::optional<double> blackout_s{};
  std::optional<double> handover_s{};
  double total_s = 0;
  std::uint64_t bytes = 0;

  bool operator==(const journal_vm&) const = default;
};

struct journal_event {
  wall_time at;
  vm_id vm;         ///< 0 where it is not about one VM
  std::string text; ///< one line, as in a trace file

  bool operator==(const journal_event&) const = default;
};

// -- changes of a run that was begun -------------------------------------------------------------

struct wish_changed {
  run_wish wish = run_wish::go_on;
};
/// Another process carries the run out from now on.
struct controller_changed {
  std::string controller;
};
struct run_closed {
  wall_time at;
  std::string result;
  int exit_code = 0;
};

using journal_change =
  std::variant<journal_vm, journal_event, wish_changed, controller_changed, run_closed>;

class journal {
public:
  /// So many ended runs are kept; the oldest beyond them go.
  static constexpr std::size_t kept_max = 100;

  virtual ~journal() = default;

  /// Writes the plan ahead and returns the run's id: `run.id` is not looked at, it is made of
  /// `what`, and unique.
  virtual result<std::string> begin(
    const std::string& what, journal_run run, const std::vector<journal_vm>& vms) = 0;
  /// A VM that is there already is replaced. `invalid` for a run that is not there.
  virtual result<done> write(const std::string& id, const std::vector<journal_change>& changes) = 0;

  /// The oldest first.
  virtual result<std::vector<journal_run>> runs() = 0;
  /// `invalid` where there is none; "last" is the latest.
  virtual result<journal_run> run(const std::string& id) = 0;
  /// In the order of the plan.
  virtual result<std::vector<journal_vm>> vms(const std::string& id) = 0;
  /// In the order in which they were written.
  virtual result<std::vector<journal_event>> events(const std::string& id) = 0;
};

} // namespace drover
