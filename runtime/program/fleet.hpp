// A cluster as a program sees it: links, actors and blocking calls. Rule: the only place where a
// program waits for actors; it composes and decides nothing.
#pragma once

#include "actors/actor_tree.hpp"
#include "runtime/base/error.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/program/fleet_access.hpp"
#include "runtime/wire/message.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace drover {

enum class pulse_choice : std::uint8_t { none, felt };

struct fleet_settings {
  fleet_access access = fleet_access::control;
  std::shared_ptr<trace_sink> trace;
  /// Where the agents' standard error goes: `<dir>/<node>.agent.log`; empty = this program's.
  std::filesystem::path agent_log_dir;
  /// Note once a second how busy the actors are and how many permits are held.
  pulse_choice pulse = pulse_choice::none;
  /// A command that needs one node before it may trouble the others opens the links as it asks.
  link_opening opening = link_opening::at_once;
  /// As in `surroundings`.
  std::function<void(vm_id vm, std::function<void()> written)> write_ahead{};
};

class fleet {
public:
  /// Starts to connect to every node; `invalid` when there is no agent program.
  static result<std::unique_ptr<fleet>> open(const cluster_file& cluster, fleet_settings settings);

  /// Leaves every node; agents end when their input does.
  ~fleet();
  fleet(const fleet&) = delete;
  fleet& operator=(const fleet&) = delete;

  result<wire::reply_body> call(
    const node_id& node, wire::request_body body, milliseconds deadline);
  /// The same question to every node, side by side.
  std::map<node_id, result<wire::reply_body>> call_all(
    const wire::request_body& body, milliseconds deadline);

  /// Different questions, at most `at_once` of them under way; answers in the order of questions.
  std::vector<result<wire::reply_body>> call_each(
    const std::vector<std::pair<node_id, wire::request_body>>& questions, milliseconds deadline,
    std::size_t at_once);

  /// Carries out an evacuation and waits for its end. Several may be under way, one per thread.
  evacuation_report run(evacuation_order order);
  /// From any thread; cancels every `run` that is under way or comes later.
  void cancel(const std::string& reason);

  /// Nothing new begins and no stream enters until `go_on`; what streams ends as it would have.
  void pause();
  void go_on();

  /// The agent's process where the link is one; for fault injection.
  std::optional<pid_t> agent_pid(const node_id& node) const;
  const std::string& controller() const;

private:
  struct parts;
  explicit fleet(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

} // namespace drover
