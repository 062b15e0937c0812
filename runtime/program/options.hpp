// The command line as a value. Rule: what is wrong with it is said in one line that names the word
// and what would be right; nothing is done then.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/stream_kind.hpp"
#include "runtime/base/time.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/scenario/world_kind.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace drover {

enum class output_format : std::uint8_t { table, json };

/// How long the metrics stay after a command's end, where nothing else is said: two looks of a
/// Prometheus that looks every 15 s.
inline constexpr nanoseconds linger_default = std::chrono::seconds{30};

/// What others may see of a command while it runs.
struct exposure_options {
  std::string address;    ///< HOST:PORT, empty = none
  std::string file;       ///< for the textfile collector, empty = none
  std::string token_file; ///< empty = no token, and loopback only
  nanoseconds linger = linger_default;
};

struct status_options {
  std::optional<node_id> node;
};

struct vm_start_options {
  std::vector<vm_id> vms;
};

struct vm_stop_options {
  std::vector<vm_id> vms;
};

struct vm_list_options {
  std::optional<node_id> node;
};

struct plan_options {
  node_id node;
  std::vector<node_id> to; ///< empty = every other node
};

struct migrate_options {
  vm_id vm;
  node_id to;
  policy how = policy::ticket;
  exposure_options shown;
  std::string report;                    ///< directory, empty = none
  std::optional<stream_kind> stream;     ///< nullopt = as the cluster file says
  std::optional<std::uint32_t> channels; ///< the same
};

enum class run_place : std::uint8_t { here, background };

struct evacuate_options {
  node_id node;
  std::vector<node_id> to;
  policy how = policy::ticket;
  std::optional<std::uint32_t> streams_max; ///< per node, both ways
  std::optional<std::uint32_t> prepare_max;
  bool dry_run = false;
  exposure_options shown;
  std::string report; ///< directory, empty = none
  std::optional<stream_kind> stream;
  std::optional<std::uint32_t> channels;
  run_place place = run_place::here;
  /// Set in a process that was started for the background: where it tells the run's name.
  std::optional<int> tell_fd{};
  /// Set in a process that a scenario kills: the event of its trace at which it ends itself, and
  /// the nodes whose agents end with it; empty = it lives.
  std::string die_at{};
  std::vector<node_id> die_with{};
};

/// Play with every policy, at several lags of the store, and compare.
struct every_policy {
  std::vector<nanoseconds> lags; ///< empty = as usual
  bool operator==(const every_policy&) const = default;
};

struct run_options {
  std::string scenario; ///< a file, or a folder of them
  std::string keep;     ///< directory that is kept with everything of the run; empty = none
  exposure_options shown;
  /// nullopt = as the scenarios say; the other alternatives take their place.
  std::optional<std::variant<policy, every_policy>> how;
  /// nullopt = the local one, but for scenarios that only the simulated one can play.
  std::optional<world_kind> world;
  std::optional<std::uint64_t> seed; ///< simulated world; the first one where there are several
  std::optional<std::uint32_t> seeds;
  std::uint32_t jobs = 1;            ///< worlds at a time, one per thread
  bool bless = false;                ///< write the golden traces instead of comparing with them
  std::string report;                ///< directory for results, comparison and traces; empty = none
  std::optional<stream_kind> stream; ///< nullopt = as the scenarios say
  std::optional<std::uint32_t> channels;

  std::optional<policy> one_policy() const {
    const auto* one = how ? std::get_if<policy>(&*how) : nullptr;
    return one ? std::optional{*one} : std::nullopt;
  }
  const every_policy* comparison() const {
    return how ? std::get_if<every_policy>(&*how) : nullptr;
  }
};

/// Finishes or reverts what dead controllers have left.
struct recover_options {
  std::vector<node_id> fenced;  ///< dead, by the operator's word
  std::vector<vm_id> never_ran; ///< the copy that nobody can ask never ran
  std::vector<vm_id> ran;       ///< it did
  bool dry_run = false;
};

/// Notes the host key of a node in known_hosts.
struct node_trust_options {
  node_id node;
  bool yes = false; ///< without asking
};

/// What the nodes lack.
struct node_check_options {
  std::vector<node_id> nodes; ///< empty = all
};

/// What a past evacuation or migration was like.
struct report_options {
  std::string id;     ///< empty = list them
  std::string report; ///< directory, empty = the working one
};

/// What was planned, begun and ended.
struct history_options {
  std::string id; ///< empty = list them; last = the latest
};

/// One run, and where each of its VMs stands.
struct show_options {
  std::string id;
};

/// Those that have not ended.
struct evacuations_options {};

struct pause_options {
  std::string id;
};

struct cancel_options {
  std::string id;
};

struct wait_options {
  std::string id;
};

/// Goes on with a run that is paused, or whose controller has died.
struct resume_options {
  std::string id;
  exposure_options shown;
  std::string report;
};

struct version_options {};

struct options {
  std::string cluster_file;
  output_format out = output_format::table;
  std::string trace_file;         ///< empty = none
  std::vector<std::string> words; ///< as typed, without the program's name
  std::string state_dir;          ///< journal and past runs; empty = the user's
  /// Hears every event of the command as it happens; may be empty.
  std::shared_ptr<trace_sink> watcher;
  std::variant<
    status_options, vm_start_options, vm_stop_options, vm_list_options, plan_options,
    migrate_options, evacuate_options, recover_options, run_options, node_trust_options,
    node_check_options, report_options, history_options, show_options, evacuations_options,
    pause_options, resume_options, cancel_options, wait_options, version_options>
    command;
};

/// What parsing ended in: options, or a text to print and the code to exit with (help, an error).
struct printed_exit {
  std::string text;
  bool is_error = false;
};

std::variant<options, printed_exit> parse_options(int argc, const char* const* argv);

} // namespace drover
