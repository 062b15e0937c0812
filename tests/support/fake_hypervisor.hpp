// QEMUs in memory, on several nodes, with streams between them. Rule: keeps the port's contract and
// QEMU's own habits: a source whose stream fails or is cancelled runs on by itself, one whose
// stream has completed never does, and a receiving QEMU dies with its stream. Two running copies of
// one VM are written down as a violation at the moment when they appear.
#pragma once

#include "runtime/hypervisor/hypervisor.hpp"
#include "runtime/store/vm_config.hpp"
#include "tests/support/fake_store.hpp"
#include "tests/support/fake_timers.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace drover::test {

class fake_hypervisor;

/// What the nodes' QEMUs share: the network between them, and the eye that sees all of them.
struct fake_machines {
  explicit fake_machines(fake_cluster& shared) : cluster(shared), clock(cluster.clock) {}

  fake_cluster& cluster;
  fake_timers& clock;
  std::map<node_id, fake_hypervisor*> nodes;
  std::vector<std::string> violations;
  /// How long memory is copied before the switchover.
  nanoseconds copy_time = std::chrono::milliseconds{20};

  inline int running(vm_id vm) const;
  inline void look(vm_id vm);
};

class fake_hypervisor : public hypervisor {
public:
  struct machine {
    wire::run_state state = wire::run_state::running;
    epoch number;
    std::string config;
    bool vcpus_run = true;
    bool streaming = false;
    bool stopped = false; ///< by the switchover
    std::string token;    ///< of the open door, or of the stream that came in
    std::string key;
    std::map<epoch, wire::outcome> ends;
  };

  fake_hypervisor(fake_machines& all, node_id node) : all_(all), node_(std::move(node)) {
    all_.nodes[node_] = this;
  }

  std::map<vm_id, machine> machines;
  std::map<vm_id, std::vector<std::string>> blocked;
  std::string encryption_fault;
  /// Calls that fail once, by name.
  std::map<std::string, error> faults;
  /// What `facts` answers besides what the config says.
  std::string cpu = "qemu64-x86_64-cpu";
  /// What its QEMUs can do.
  std::uint32_t channels = 1;
  /// What the last stream was begun with.
  std::uint32_t channels_streamed = 0;
  /// What each stream was told last.
  std::map<vm_id, std::uint64_t> bandwidth;

  void put(vm_id vm, const std::string& config) { machines[vm].config = config; }

  /// The process dies.
  void crash(vm_id vm) {
    if (machines.erase(vm) > 0) {
      lost_peer(vm);
      tell([vm](auto& e) { e.on_exit(vm, "killed"); });
    }
  }

  void listen(hypervisor_events* events) override { events_ = events; }
  void attach(callback<std::vector<machine_status>> answer) override {
    later(
      "attach", {}, [this, answer] { answer(list()); }, answer);
  }
  std::string version() const override { return "fake 1"; }
  std::string encryption_objection() const override { return encryption_fault; }
  std::vector<machine_status> list() const override {
    std::vector<machine_status> all;
    for (const auto& [vm, m] : machines)
      all.push_back({vm, m.state, m.number});
    return all;
  }
  std::optional<machine_status> find(vm_id vm) const override {
    const auto found = machines.find(vm);
    if (found == machines.end())
      return std::nullopt;
    return machine_status{vm, found->second.state, found->second.number};
  }
  std::vector<std::string> blockers(const std::string& config) const override {
    const auto parsed = vm_config::parse(config);
    for (const auto& [vm, why] : blocked)
      if (parsed && parsed->name() == "vm" + to_string(vm))
        return why;
    return {};
  }
  void start(vm_id vm, const std::string& config, callback<machine_status> answer) override {
    later(
      "start", vm,
      [=, this] {
        machines[vm].config = config;
        all_.look(vm);
        answer(*find(vm));
      },
      answer);
  }
  result<std::string> started_config(vm_id vm) const override {
    const auto found = machines.find(vm);
    if (found == machines.end())
      return fail(errc::lost, "no QEMU", to_string(vm));
    return found->second.config;
  }
  void facts(vm_id vm, callback<wire::machine_facts> answer) override {
    later(
      "facts", vm,
      [=, this] {
        const auto found = machines.find(vm);
        if (found == machines.end())
          return answer(fail(errc::lost, "no QEMU", to_string(vm)));
        const auto config = vm_config::parse(found->second.config);
        answer(wire::machine_facts{
          "pc-i440fx-7.2",
          cpu,
          config->cpus(),
          config->memory_bytes(),
          "",
          {"net0 virtio-net-pci"}});
      },
      answer);
  }
  void quit(vm_id vm, callback<done> answer) override { end("quit", vm, answer); }
  void kill(vm_id vm, callback<done> answer) override { end("kill", vm, answer); }
  void receive(
    vm_id vm, epoch number, const std::string& config, callback<machine_status> answer) override {
    later(
      "receive", vm,
      [=, this] {
        const auto [found, fresh] = machines.try_emplace(vm);
        if (!fresh && found->second.number != number)
          return answer(fail(errc::conflict, "a QEMU is there", to_string(vm)));
        if (fresh)
          found->second = {
            wire::run_state::incoming, number, config, false, false, false, "", "", {}};
        answer(*find(vm));
      },
      answer);
  }
  std::uint32_t channels_max(vm_id vm) const override {
    return machines.contains(vm) ? channels : 1;
  }
  void open_door(
    vm_id vm, epoch number, const stream_form& form, callback<listening> answer) override {
    later(
      "open_door", vm,
      [=, this] {
        const auto found = machines.find(vm);
        if (found == machines.end() || found->second.number != number)
          return answer(fail(errc::refused, "no QEMU waits", to_string(vm)));
        found->second.token = "token-" + std::to_string(++tokens_);
        found->second.key = form.kind == stream_kind::tls ? "key-" + found->second.token : "";
        answer(listening{node_.value, 1, found->second.token, found->second.key, form.channels});
      },
      answer);
  }
  void stream(
    vm_id vm, epoch number, const listening& door, const stream_limits& limits,
    callback<done> answer) override {
    later(
      "stream", vm,
      [=, this, at_most = limits.bandwidth_bytes_per_s] {
        bandwidth[vm] = at_most;
        channels_streamed = door.channels;
        const auto found = machines.find(vm);
        if (found == machines.end())
          return answer(fail(errc::refused, "no QEMU", to_string(vm)));
        if (found->second.number != number || !(found->second.streaming || ended(vm, number)))
          begin_stream(vm, number, door);
        answer(done{});
      },
      answer);
  }
  void set_downtime_limit(vm_id vm, std::uint32_t, callback<done> answer) override {
    later(
      "set_downtime_limit", vm, [answer] { answer(done{}); }, answer);
  }
  void set_bandwidth(vm_id vm, std::uint64_t bytes_per_s, callback<done> answer) override {
    later(
      "set_bandwidth", vm,
      [=, this] {
        bandwidth[vm] = bytes_per_s;
        answer(done{});
      },
      answer);
  }
  void cancel_stream(vm_id vm, epoch number, callback<done> answer) override {
    later(
      "cancel_stream", vm,
      [=, this] {
        const auto found = machines.find(vm);
        if (found == machines.end() || found->second.number != number || ended(vm, number))
          return answer(done{});
        if (found->second.stopped)
          return answer(fail(errc::refused, "the switchover has begun", to_string(vm)));
        found->second.streaming = false;
        finish(vm, number, wire::stream_end::cancelled);
        if (auto* peer = peer_of(vm))
          peer->crash(vm);
        answer(done{});
      },
      answer);
  }
  std::optional<wire::outcome> stream_outcome(vm_id vm, epoch number) const override {
    const auto found = machines.find(vm);
    if (found == machines.end() || !found->second.ends.contains(number))
      return std::nullopt;
    return found->second.ends.at(number);
  }
  void resume(vm_id vm, callback<wall_time> answer) override {
    later(
      "resume", vm,
      [=, this] {
        const auto found = machines.find(vm);
        if (found == machines.end())
          return answer(fail(errc::lost, "no QEMU", to_string(vm)));
        found->second.state = wire::run_state::running;
        found->second.vcpus_run = true;
        note("RESUME", vm);
        all_.look(vm);
        tell([vm, at = all_.clock.wall()](auto& e) { e.on_resumed(vm, at); });
        answer(all_.clock.wall());
      },
      answer);
  }

private:
  friend struct fake_machines;

  void note(const std::string& what, vm_id vm) {
    all_.cluster.calls.push_back({all_.clock.now(), node_.value, "qemu." + what, vm});
  }

  template <class T>
  void later(const std::string& what, vm_id vm, std::function<void()> act, callback<T> answer) {
    note(what, vm);
    all_.clock.after(fake_latency, [this, what, act = std::move(act), answer] {
      if (const auto broken = faults.find(what); broken != faults.end()) {
        const auto why = broken->second;
        faults.erase(broken);
        return answer(tl::unexpected{why});
      }
      act();
    });
  }

  template <class F>
  void tell(F report) {
    all_.clock.after(nanoseconds{0}, [this, report] {
      if (events_ != nullptr)
        report(*events_);
    });
  }

  bool ended(vm_id vm, epoch number) const { return stream_outcome(vm, number).has_value(); }

  void end(const std::string& what, vm_id vm, const callback<done>& answer) {
    later(
      what, vm,
      [=, this] {
        crash(vm);
        answer(done{});
      },
      answer);
  }

  fake_hypervisor* peer_of(vm_id vm) {
    for (auto& [node, other] : all_.nodes)
      if (other != this && other->machines.contains(vm))
        return other;
    return nullptr;
  }

  void begin_stream(vm_id vm, epoch number, const listening& door) {
    auto& source = machines.at(vm);
    source.number = number;
    const auto target = all_.nodes.find(node_id{door.host});
    if (
      target == all_.nodes.end() || !target->second->machines.contains(vm) ||
      target->second->machines.at(vm).token != door.token ||
      target->second->machines.at(vm).key != door.key)
      return finish(vm, number, wire::stream_end::failed);
    source.streaming = true;
    all_.clock.after(all_.copy_time, [=, this] {
      if (!sends(vm, number))
        return;
      auto& stopping = machines.at(vm);
      stopping.stopped = true;
      if (std::exchange(stopping.vcpus_run, false))
        tell([vm, at = all_.clock.wall()](auto& e) { e.on_stopped(vm, at); });
      all_.clock.after(std::chrono::milliseconds{1}, [=, this] {
        auto* peer = peer_of(vm);
        if (!sends(vm, number) || peer == nullptr)
          return;
        peer->finish(vm, number, wire::stream_end::completed);
        all_.clock.after(std::chrono::milliseconds{1}, [=, this] {
          if (!sends(vm, number))
            return;
          machines.at(vm).streaming = false;
          machines.at(vm).state = wire::run_state::postmigrate;
          finish(vm, number, wire::stream_end::completed);
        });
      });
    });
  }

  bool sends(vm_id vm, epoch number) const {
    const auto found = machines.find(vm);
    return found != machines.end() && found->second.number == number && found->second.streaming;
  }

  void finish(vm_id vm, epoch number, wire::stream_end how) {
    wire::outcome outcome;
    outcome.end = how;
    outcome.reason = how == wire::stream_end::completed ? "" : "the stream broke";
    outcome.ended = all_.clock.wall();
    outcome.transferred_bytes = 1000;
    machines.at(vm).ends[number] = outcome;
    note("end " + std::string{wire::to_string(how)}, vm);
    tell([=](auto& e) { e.on_stream_end(vm, number, how, outcome.reason, *outcome.ended); });
  }

  /// A copy of `vm` is gone: a stream between it and its peer has broken.
  void lost_peer(vm_id vm) {
    auto* peer = peer_of(vm);
    if (peer == nullptr)
      return;
    auto& other = peer->machines.at(vm);
    if (other.streaming) {
      other.streaming = false;
      if (std::exchange(other.stopped, false))
        other.vcpus_run = true;
      all_.look(vm);
      peer->finish(vm, other.number, wire::stream_end::failed);
    } else if (
      other.state == wire::run_state::incoming && !peer->ended(vm, other.number) &&
      !other.token.empty()) {
      peer->machines.erase(vm);
      peer->tell([vm](auto& e) { e.on_exit(vm, "the stream ended early"); });
    }
  }

  fake_machines& all_;
  const node_id node_;
  hypervisor_events* events_ = nullptr;
  int tokens_ = 0;
};

inline int fake_machines::running(vm_id vm) const {
  int count = 0;
  for (const auto& [node, one] : nodes)
    if (const auto found = one->machines.find(vm); found != one->machines.end())
      count += found->second.vcpus_run ? 1 : 0;
  return count;
}

inline void fake_machines::look(vm_id vm) {
  if (running(vm) > 1)
    violations.push_back("VM " + to_string(vm) + " runs twice");
}

} // namespace drover::test
