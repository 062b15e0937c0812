#include "runtime/program/fleet.hpp"

#include "actors/pulse_actor.hpp"
#include "runtime/program/link_scheduler.hpp"
#include "runtime/program/node_links.hpp"

#include <array>
#include <caf/scoped_actor.hpp>
#include <deque>
#include <mutex>
#include <pwd.h>
#include <unistd.h>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// An evacuation ends by its migrations' own deadlines; this only bounds a broken actor.
constexpr std::chrono::minutes run_max{30 * 24 * 60};
constexpr auto answer_grace = 5s;
constexpr auto leave_wait = 10s;
constexpr auto pulse_interval = 1s;

/// "root@host:1234".
std::string controller_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  std::array<char, 1024> room{};
  passwd about{};
  passwd* found = nullptr;
  getpwuid_r(geteuid(), &about, room.data(), room.size(), &found);
  const std::string user = found == nullptr ? std::to_string(geteuid()) : about.pw_name;
  return user + "@" + host.data() + ":" + std::to_string(getpid());
}

result<wire::reply_body> no_owner() { return fail(errc::bug, "the node's owner does not answer"); }

} // namespace

struct fleet::parts {
  parts(surroundings s, node_links l)
    : links(std::move(l)), config(links.loop()), system(config), around(std::move(s)) {}

  /// CAF wants its config to live as long as the system.
  struct configured : caf::actor_system_config {
    explicit configured(std::shared_ptr<link_loop> loop) {
      configure_actors(*this);
      run_actors_on(*this, std::move(loop));
    }
  };

  node_links links;
  configured config;
  caf::actor_system system;
  surroundings around;
  std::string controller;
  actor_tree tree;
  std::optional<pulse_handle> pulse;

  std::mutex mutex;
  std::set<evacuation_handle> jobs; ///< that a `run` waits for
  std::optional<std::string> cancel_reason;
};

result<std::unique_ptr<fleet>> fleet::open(const cluster_file& cluster, fleet_settings settings) {
  link_needs needs;
  needs.access = settings.access;
  needs.agent_log_dir = settings.agent_log_dir;
  needs.trace = settings.trace;
  auto links = node_links::of(cluster, needs);
  if (!links)
    return tl::unexpected(links.error());
  auto p = std::make_unique<parts>(
    surroundings{settings.trace, [] { return wall_now(); }, settings.write_ahead},
    std::move(*links));
  p->controller = controller_name();
  tree_settings tree;
  tree.controller = p->controller;
  tree.id_prefix = p->controller + ":" + std::to_string(wall_now().time_since_epoch().count());
  tree.cluster_max = cluster.limits.cluster;
  tree.windows_max = cluster.limits.windows;
  tree.around = p->around;
  tree.opening = settings.opening;
  for (const auto& [id, node] : cluster.nodes)
    tree.nodes[id] = {
      p->links.at(id), node.limits.prepare, node.limits.inbound, node.limits.streams};
  p->tree = spawn_actor_tree(p->system, tree);
  if (settings.pulse == pulse_choice::felt)
    p->pulse = spawn_pulse(p->system, p->tree.locks, p->around, pulse_interval);
  return std::unique_ptr<fleet>{new fleet{std::move(p)}};
}

fleet::fleet(std::unique_ptr<parts> p) : parts_(std::move(p)) {}

fleet::~fleet() {
  {
    caf::scoped_actor self{parts_->system};
    if (parts_->pulse) {
      self->monitor(*parts_->pulse);
      self->send(*parts_->pulse, end_pulse{});
    }
    for (auto& [node, owner] : parts_->tree.owners) {
      self->monitor(owner);
      self->send(owner, leave_node{});
    }
    // An agent that has work left ends it before its output closes; nobody waits longer than this.
    for (std::size_t left = parts_->tree.owners.size() + (parts_->pulse ? 1 : 0); left > 0;) {
      bool late = false;
      self->receive(
        [&](const caf::down_msg&) { --left; }, caf::after(leave_wait) >> [&] { late = true; });
      if (late)
        break;
    }
  }
  parts_->tree = {};
  parts_->system.await_actors_before_shutdown(false);
}

result<wire::reply_body> fleet::call(
  const node_id& node, wire::request_body body, milliseconds deadline) {
  caf::scoped_actor self{parts_->system};
  result<wire::reply_body> answer = no_owner();
  self
    ->request(
      parts_->tree.owners.at(node), deadline + answer_grace, node_call{std::move(body), deadline})
    .receive([&](node_answer& a) { answer = std::move(a.body); }, [](const caf::error&) {});
  return answer;
}

std::map<node_id, result<wire::reply_body>> fleet::call_all(
  const wire::request_body& body, milliseconds deadline) {
  std::vector<std::pair<node_id, wire::request_body>> questions;
  for (const auto& [node, owner] : parts_->tree.owners)
    questions.emplace_back(node, body);
  auto answers = call_each(questions, deadline, questions.size());
  std::map<node_id, result<wire::reply_body>> by_node;
  for (std::size_t i = 0; i < questions.size(); ++i)
    by_node.emplace(questions[i].first, std::move(answers[i]));
  return by_node;
}

std::vector<result<wire::reply_body>> fleet::call_each(
  const std::vector<std::pair<node_id, wire::request_body>>& questions, milliseconds deadline,
  std::size_t at_once) {
  caf::scoped_actor self{parts_->system};
  const auto ask = [&](std::size_t i) {
    const auto& [node, body] = questions[i];
    return self->request(
      parts_->tree.owners.at(node), deadline + answer_grace, node_call{body, deadline});
  };
  std::vector<result<wire::reply_body>> answers(questions.size(), no_owner());
  std::deque<std::pair<std::size_t, decltype(ask(0))>> asked;
  std::size_t next = 0;
  while (next < questions.size() || !asked.empty()) {
    for (; next < questions.size() && asked.size() < at_once; ++next)
      asked.emplace_back(next, ask(next));
    auto& [i, answer] = asked.front();
    answer.receive(
      [&answers, at = i](node_answer& a) { answers[at] = std::move(a.body); },
      [](const caf::error&) {});
    asked.pop_front();
  }
  return answers;
}

evacuation_report fleet::run(evacuation_order order) {
  caf::scoped_actor self{parts_->system};
  auto job =
    spawn_evacuation(parts_->system, {parts_->tree.locks, parts_->tree.owners}, parts_->around);
  auto answer = self->request(job, run_max, run_evacuation{std::move(order)});
  {
    const std::lock_guard guard{parts_->mutex};
    parts_->jobs.insert(job);
    if (parts_->cancel_reason)
      caf::anon_send(job, cancel_evacuation{*parts_->cancel_reason});
  }
  evacuation_report report;
  answer.receive(
    [&](evacuation_report& r) { report = std::move(r); },
    [&](const caf::error&) {
      report.objection = error{errc::bug, "the evacuation actor does not answer", {}};
    });
  const std::lock_guard guard{parts_->mutex};
  parts_->jobs.erase(job);
  return report;
}

void fleet::cancel(const std::string& reason) {
  const std::lock_guard guard{parts_->mutex};
  parts_->cancel_reason = reason;
  for (const auto& job : parts_->jobs)
    caf::anon_send(job, cancel_evacuation{reason});
}

void fleet::pause() {
  caf::anon_send(parts_->tree.locks, hold_grants{grants_hold::operator_pause});
}

void fleet::go_on() {
  caf::anon_send(parts_->tree.locks, open_grants{grants_hold::operator_pause});
}

std::optional<pid_t> fleet::agent_pid(const node_id& node) const {
  return parts_->links.agent_pid(node);
}

const std::string& fleet::controller() const { return parts_->controller; }

} // namespace drover
