// Two agents, n1 and n2, on fakes, wired by hand; and a journey of one VM from n1 to n2 in steps
// that a test can interrupt or repeat.
#pragma once

#include "runtime/agent/agent.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/fake_marks.hpp"
#include "tests/support/fake_store.hpp"
#include "tests/support/fake_timers.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace drover::test {

inline const vm_id vm{105};
inline const node_id n1{"n1"};
inline const node_id n2{"n2"};

inline std::string config_text(vm_id id) {
  return "# keep me\nname: vm" + to_string(id) + "\nmemory: 64\ncores: 2\nmigrate_downtime: 0.2\n";
}

class node_rig {
public:
  node_rig(fake_cluster& cluster, fake_machines& all, const node_id& name)
    : store(cluster, name), machines(all, name), marks(cluster, name.value),
      boot_id("boot-" + name.value), name_(name), clock_(cluster.clock) {
    restart();
  }

  fake_store store;
  fake_hypervisor machines;
  fake_marks marks;
  std::vector<wire::reply> replies;
  std::vector<wire::notice> notices;
  bool finished = false;
  agent_access access = agent_access::control;
  std::uint64_t bandwidth_bytes_per_s = 0; ///< of all its streams; for the next start
  std::string controller = "c:1";
  std::string boot_id;

  agent& it() { return *agent_; }

  /// The agent's process dies.
  void die() { agent_.reset(); }

  /// The agent's process dies and another one comes.
  void restart() {
    die();
    ++starts_;
    agent_settings settings;
    settings.node = name_;
    settings.boot_id = boot_id;
    settings.version = "0";
    settings.access = access;
    settings.bandwidth_bytes_per_s = bandwidth_bytes_per_s;
    settings.wall_now = [this] { return clock_.wall(); };
    finished = false;
    agent_ = std::make_unique<agent>(
      settings, store, machines, marks, clock_, [this](const wire::from_agent& message) {
        if (const auto* reply = std::get_if<wire::reply>(&message))
          replies.push_back(*reply);
        else
          notices.push_back(std::get<wire::notice>(message));
      });
    // As the program does: the process ends, whatever it still had to do.
    agent_->on_finished = [this] {
      finished = true;
      clock_.after(nanoseconds{0}, [this, ending = starts_] {
        if (starts_ == ending)
          die();
      });
    };
  }

  void greet() {
    const auto answer = ask(wire::hello{wire::protocol_version, controller});
    REQUIRE(answer);
  }

  request_id send(wire::request_body body, milliseconds deadline = milliseconds{5000}) {
    const request_id id{name_.value + "-" + std::to_string(++ids_)};
    agent_->request({id, deadline, std::move(body)});
    return id;
  }

  const wire::reply* reply_to(const request_id& id) const {
    for (const auto& reply : replies)
      if (reply.id == id)
        return &reply;
    return nullptr;
  }

  /// Asks and runs the clock until the answer is there.
  template <class R>
  result<typename R::answer> ask(R body, milliseconds deadline = milliseconds{5000}) {
    const auto id = send(wire::request_body{std::move(body)}, deadline);
    clock_.run_until([&] { return reply_to(id) != nullptr; }, nanoseconds{deadline} * 2);
    const auto* reply = reply_to(id);
    if (reply == nullptr)
      return fail(errc::timeout, "the fake agent gave no answer");
    if (!reply->body)
      return tl::unexpected{reply->body.error()};
    return std::get<typename R::answer>(*reply->body);
  }

private:
  const node_id name_;
  fake_timers& clock_;
  std::unique_ptr<agent> agent_;
  int ids_ = 0;
  int starts_ = 0;
};

struct rig {
  rig() {
    source.store.create_config(vm, n1, config_text(vm), [](auto) {});
    clock.run_for(milliseconds{1});
    source.machines.put(vm, config_text(vm));
    source.greet();
    target.greet();
  }

  fake_timers clock;
  fake_cluster cluster{clock};
  fake_machines machines{cluster};
  node_rig source{cluster, machines, n1};
  node_rig target{cluster, machines, n2};

  node_id owner() const { return cluster.latest.configs.at(vm).first; }
  std::string config() const { return cluster.latest.configs.at(vm).second; }
  handover_record record() const {
    const auto found = cluster.latest.records.find(vm);
    return found == cluster.latest.records.end() ? handover_record{} : found->second;
  }
  bool runs(const node_rig& node) const {
    const auto found = node.machines.machines.find(vm);
    return found != node.machines.machines.end() && found->second.vcpus_run;
  }
  /// Index of the first call `what` on `node` from `from` on; calls.size() when there is none.
  std::size_t call(const std::string& node, const std::string& what, std::size_t from = 0) const {
    for (auto i = from; i < cluster.calls.size(); ++i)
      if (cluster.calls[i].node == node && cluster.calls[i].what == what)
        return i;
    return cluster.calls.size();
  }
  bool is_locked() const { return !cluster.latest.locks.empty(); }
  /// Store writes of `node` from call `from` up to call `to`.
  std::vector<std::string> writes(std::size_t from, std::size_t to) const {
    std::vector<std::string> found;
    for (auto i = from; i < to && i < cluster.calls.size(); ++i)
      if (const auto& c = cluster.calls[i];
          c.what.starts_with("store.") && !c.what.starts_with("store.read"))
        found.push_back(c.node + " " + c.what.substr(6));
    return found;
  }
  void both_lose_the_controller() {
    source.it().controller_gone();
    target.it().controller_gone();
  }
};

/// The requests of one migration, as the controller asks them.
class journey {
public:
  enum step {
    begin,
    receive,
    early_move,
    early_see,
    stream,
    source_end,
    target_end,
    move,
    take_over,
    claim,
    release,
    settle,
    end
  };

  explicit journey(rig& world, policy how = policy::ticket, std::string controller = "c:1")
    : world_(world), how_(how), controller_(std::move(controller)) {}

  const ticket& evidence() const { return begun_->evidence; }
  const std::optional<wire::begun>& begun() const { return begun_; }
  const wire::stream_offer& offer() const { return offer_; }
  /// What the controller asks the target for.
  std::optional<std::uint32_t> channels;

  /// Asks for one step; a step that the policy does not have is a success.
  result<done> ask(step s) {
    switch (s) {
    case begin: {
      auto answer = world_.source.ask(wire::begin_handover{vm, n2, how_, controller_});
      if (!answer)
        return tl::unexpected{answer.error()};
      begun_ = *answer;
      return done{};
    }
    case receive: {
      auto answer = world_.target.ask(wire::receive{
        evidence(), begun_->config, begun_->facts, begun_->was_paused, stream_kind::tls, channels});
      if (!answer)
        return tl::unexpected{answer.error()};
      offer_ = *answer;
      return done{};
    }
    case early_move:
      if (how_ != policy::early)
        return done{};
      return plain(world_.source.ask(wire::move_config{{evidence()}}));
    case early_see:
      if (how_ != policy::early)
        return done{};
      return plain(world_.target.ask(wire::await_claim{{evidence()}}));
    case stream:
      return plain(world_.source.ask(wire::stream{
        evidence(), offer_.host, offer_.port, offer_.token, 0, 100, offer_.boot_id, offer_.key,
        offer_.channels}));
    case source_end:
      return completed(world_.source.ask(wire::await_outcome{{evidence()}}));
    case target_end:
      return completed(world_.target.ask(wire::await_outcome{{evidence()}}));
    case move:
      if (target_moves_config(how_) || how_ == policy::early)
        return done{};
      return plain(world_.source.ask(wire::move_config{{evidence()}}));
    case take_over:
      return plain(world_.target.ask(wire::take_over{{evidence()}}));
    case claim:
      return plain(world_.target.ask(wire::await_claim{{evidence()}}));
    case release:
      return plain(world_.source.ask(wire::release_source{{evidence()}}));
    case settle:
      return plain(world_.target.ask(wire::settle{{evidence()}}));
    case end:
      break;
    }
    return done{};
  }

  /// All steps from `first` up to, not including, `last`; each has to succeed.
  void run(step first, step last) {
    for (int s = first; s < last; ++s) {
      const auto answer = ask(static_cast<step>(s));
      INFO("step " << s << ": " << (answer ? "" : to_string(answer.error())));
      REQUIRE(answer);
    }
  }

  void check_moved() const {
    CHECK(world_.machines.violations.empty());
    CHECK(world_.owner() == n2);
    CHECK(world_.runs(world_.target));
    CHECK_FALSE(world_.source.machines.machines.contains(vm));
    CHECK(world_.config() == config_text(vm));
    CHECK(world_.record().state == record_state::settled);
    CHECK(world_.record().number == evidence().number());
  }

private:
  template <class A>
  static result<done> plain(const result<A>& answer) {
    if (!answer)
      return tl::unexpected{answer.error()};
    return done{};
  }
  static result<done> completed(const result<wire::outcome>& answer) {
    if (!answer)
      return tl::unexpected{answer.error()};
    if (answer->end != wire::stream_end::completed)
      return fail(errc::bug, "not completed", answer->reason);
    return done{};
  }

  rig& world_;
  const policy how_;
  const std::string controller_;
  std::optional<wire::begun> begun_;
  wire::stream_offer offer_;
};

/// The node's seat goes to another controller: the old agent is cut off, the new one greets.
inline void seat(node_rig& node, const std::string& controller) {
  node.controller = controller;
  node.restart();
  node.greet();
}

inline void check_finished(const rig& world) {
  CHECK(world.machines.violations.empty());
  REQUIRE(world.machines.running(vm) == 1);
  const auto& other = world.runs(world.source) ? world.target : world.source;
  CHECK(world.owner() == (world.runs(world.source) ? n1 : n2));
  CHECK(world.config() == config_text(vm));
  CHECK(world.record().state == record_state::settled);
  CHECK_FALSE(other.machines.machines.contains(vm));
  CHECK_FALSE(world.is_locked());
}

} // namespace drover::test
