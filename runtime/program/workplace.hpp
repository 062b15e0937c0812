// What every command on a cluster begins with: the cluster file, who watches, the links. Rule:
// everything that can be wrong with what was typed is found before a node is asked anything.
#pragma once

#include "metrics/page/run_history.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/program/fleet.hpp"
#include "runtime/program/observers.hpp"
#include "runtime/program/options.hpp"
#include "runtime/program/run_control.hpp"
#include "runtime/program/run_log.hpp"
#include "runtime/program/survey.hpp"

#include <functional>
#include <memory>

namespace drover {

struct workplace {
  cluster_file cluster;
  std::shared_ptr<exposure> shown;
  std::unique_ptr<observers> watching;
  std::shared_ptr<run_history> history = std::make_shared<run_history>();
  std::unique_ptr<run_log> log;        ///< null for commands that only look
  std::shared_ptr<follower_feed> feed; ///< the same
  std::unique_ptr<fleet> nodes;

  survey look();
};

/// What a command needs of a workplace.
struct workplace_needs {
  fleet_access access = fleet_access::observe;
  exposure_options shown{};
  bool writes_down = false; ///< it moves VMs, and is a run in the journal
  std::function<void(cluster_file&)> adjust{};
  link_opening opening = link_opening::at_once;
};

result<workplace> open_workplace(const options& o, const workplace_needs& needs);

} // namespace drover
