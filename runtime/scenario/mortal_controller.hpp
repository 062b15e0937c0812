// A controller that may die: `drover evacuate` that kills itself with SIGKILL at an event of its
// own trace, and agents with it. Rule: everything but its death is the production program; a
// process of its own, because no thread of a player could be killed so.
//
//   player ----> drover evacuate NODE --die-at '{"event": ...}' --die-with n1,n2
//   player ----> drover recover
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/luck.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/program/options.hpp"
#include "runtime/program/run_result.hpp"
#include "runtime/scenario/scenario_action.hpp"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

/// Other numbers each time; for what no seed chooses.
luck luck_of_the_moment();

/// What listens for the event at which this process is to die; null where it is to live.
result<std::shared_ptr<trace_sink>> death_of(const options& o);

/// The words after `drover` that carry it out, for a controller of its own.
std::vector<std::string> command_words(const action::evacuate& what);

/// The cluster as a file, for controllers that are processes. Precondition: a plain store, and
/// links that are processes.
std::string cluster_file_text(const cluster_file& cluster);

struct ended_controller {
  int exit_code = -1;
  bool was_killed = false;
  std::string output;
};

/// What it told as JSON, as far as it can be judged: its code, who moved and who stayed.
run_result result_told(const ended_controller& ended);

/// This very program once more, with other words; it blocks until that has ended.
class controller_process {
public:
  /// Its output goes to `log`.out, its complaints to `log`.err.
  explicit controller_process(std::filesystem::path log) : log_(std::move(log)) {}

  result<ended_controller> run(std::vector<std::string> words);
  /// As Ctrl-C does; from any thread.
  void interrupt();

private:
  const std::filesystem::path log_;
  std::atomic<pid_t> pid_ = 0;
};

} // namespace drover
