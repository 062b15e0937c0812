#include "runtime/program/node_check.hpp"

#include "runtime/link/process_link.hpp"
#include "runtime/link/ssh/ssh_link.hpp"
#include "runtime/program/agent_command.hpp"
#include "runtime/program/clock_samples.hpp"
#include "runtime/program/planning.hpp"
#include "runtime/program/readiness_text.hpp"
#include "runtime/wire/codec.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// A first login on a busy host, with a slow login shell.
constexpr auto patience = 40s;
constexpr auto leave_patience = 3s;
constexpr unsigned samples_wanted = 5;

/// One node while it is being asked; the link's thread fills it.
class node_visit {
public:
  explicit node_visit(link_ptr way) : way_(std::move(way)) {}

  void begin(const std::shared_ptr<node_visit>& self) {
    link_events events;
    events.opened = [self] { self->opened(); };
    events.line = [self](const std::string& line) { self->heard(line); };
    events.closed = [self](error why) { self->closed(std::move(why)); };
    way_->open(std::move(events));
  }

  void wait(mono_time until) {
    std::unique_lock guard{mutex_};
    changed_.wait_for(guard, until - monotonic_now(), [this] { return is_over(); });
  }

  /// The agent ends by itself; a bounded time is given to it.
  void leave() {
    way_->close();
    std::unique_lock guard{mutex_};
    changed_.wait_for(guard, leave_patience, [this] { return end_.has_value(); });
  }

  visit_facts facts() {
    const std::lock_guard guard{mutex_};
    return {is_open_, report_, hello_, refusal_, clock_.best(), end_};
  }

private:
  /// With another major version there is nothing more to say than hello.
  bool is_foreign() const { return hello_ && hello_->protocol != wire::protocol_version; }
  bool is_over() const {
    return end_ || refusal_ || is_foreign() || (report_ && clock_.taken() >= samples_wanted);
  }

  void opened() {
    const std::lock_guard guard{mutex_};
    is_open_ = true;
    ask();
  }

  void ask() {
    wire::request question{
      request_id{"check-" + std::to_string(clock_.taken())}, 5s, wire::hello{}};
    auto& hello = std::get<wire::hello>(question.body);
    hello.controller = "drover node check";
    hello.minor = wire::protocol_minor;
    clock_.asked(wall_now());
    way_->send(wire::encode(question));
  }

  void heard(const std::string& line) {
    const std::lock_guard guard{mutex_};
    if (auto report = report_from_line(line)) {
      report_ = std::move(*report);
    } else if (const auto came = wire::decode_from_agent(line)) {
      const auto* reply = std::get_if<wire::reply>(&*came);
      const auto* hello =
        reply != nullptr && reply->body ? std::get_if<wire::hello_reply>(&*reply->body) : nullptr;
      if (reply != nullptr && !reply->body)
        refusal_ = reply->body.error();
      if (hello != nullptr)
        greeted(*hello);
    }
    changed_.notify_all();
  }

  void greeted(const wire::hello_reply& hello) {
    hello_ = hello;
    if (is_foreign())
      return;
    clock_.answered(wall_now(), hello.wall);
    if (clock_.taken() < samples_wanted)
      ask();
  }

  void closed(error why) {
    const std::lock_guard guard{mutex_};
    end_ = std::move(why);
    changed_.notify_all();
  }

  link_ptr way_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  std::optional<readiness_report> report_;
  std::optional<wire::hello_reply> hello_;
  std::optional<error> refusal_;
  clock_samples clock_;
  std::optional<error> end_;
};

result<link_ptr> way_to(
  const cluster_file& cluster, const cluster_node& node, const link_needs& needs,
  const std::shared_ptr<link_loop>& loop, const std::shared_ptr<ssh_shared>& shared) {
  if (node.link == link_kind::ssh)
    return std::make_shared<ssh_link>(
      loop, shared,
      ssh_link_settings_of(
        cluster, node, needs, agent_check_command(node.place.agent, cluster, node)));
  const auto agent = agent_program(cluster);
  if (!agent)
    return tl::unexpected<error>(agent.error());
  process_link_settings child;
  child.argv = agent_check_command(*agent, cluster, node);
  return std::make_shared<process_link>(loop, std::move(child));
}

} // namespace

result<readiness> check_nodes(
  const cluster_file& cluster, const std::vector<node_id>& nodes, const login_help& logins) {
  for (const auto& node : nodes)
    if (auto unknown = unknown_node(cluster, node))
      return tl::unexpected<error>(std::move(*unknown));
  link_needs needs;
  needs.logins = logins;
  needs.access = fleet_access::observe;
  const auto loop = std::make_shared<link_loop>();
  const auto shared = std::make_shared<ssh_shared>(
    loop, ssh_pacing{cluster.ssh.logins, cluster.ssh.logins_per_host}, logins.ask);
  std::map<node_id, std::shared_ptr<node_visit>> visits;
  for (const auto& [id, node] : cluster.nodes) {
    if (!nodes.empty() && std::find(nodes.begin(), nodes.end(), id) == nodes.end())
      continue;
    auto way = way_to(cluster, node, needs, loop, shared);
    if (!way)
      return tl::unexpected<error>(way.error());
    visits[id] = std::make_shared<node_visit>(std::move(*way));
  }
  for (const auto& [id, visit] : visits)
    visit->begin(visit);
  const auto until = monotonic_now() + patience;
  readiness seen;
  for (const auto& [id, visit] : visits) {
    visit->wait(until);
    seen[id] = items_of(cluster.nodes.at(id), visit->facts());
  }
  for (const auto& [id, visit] : visits)
    visit->leave();
  return seen;
}

} // namespace drover
