// Simulated nodes with an open driver each, and a list of every change of their QEMUs. Rule: time
// passes only inside `run_until` and `run_for`.
#pragma once

#include "runtime/hypervisor/sim_hypervisor.hpp"
#include "tests/contracts/hypervisor_rig.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace drover::test {

using contracts::event_log;

/// 100 MB/s, 20 ms to load and 10 ms to acknowledge: every moment of a switchover is wide enough to
/// do something in it.
inline sim_machine_settings wide_settings() {
  sim_machine_settings settings;
  settings.load = exactly(milliseconds{20});
  settings.acknowledge = exactly(milliseconds{10});
  settings.bandwidth_bytes_per_s = 100'000'000;
  return settings;
}

class sim_bench {
public:
  explicit sim_bench(const sim_machine_settings& settings = wide_settings(), std::uint64_t seed = 1)
    : machines(queue, luck{seed}, settings) {
    machines.on_change = [this](const machine_changed& change) {
      changes.push_back(change.node.value + " " + to_string(change.vm) + " " + change.state);
      when.push_back(queue.now());
      if (on_change)
        on_change(changes.back());
    };
    for (const auto* name : {"n1", "n2", "n3"})
      open(node_id{name});
  }

  event_queue queue;
  sim_machines machines;
  std::vector<std::string> changes;
  std::vector<mono_time> when;
  std::function<void(const std::string&)> on_change;
  const node_id source{"n1"};
  const node_id target{"n2"};
  const vm_id vm{100};

  hypervisor& at(const node_id& node) { return *drivers_.at(node); }
  event_log& heard(const node_id& node) { return logs_[node]; }
  void open(const node_id& node) {
    drivers_[node] = machines.open(node);
    at(node).listen(&logs_[node]);
  }
  /// The agent is killed and started again.
  void reopen(const node_id& node) {
    drivers_.at(node).reset();
    logs_[node] = {};
    open(node);
  }
  void close(const node_id& node) { drivers_.at(node).reset(); }

  template <class Reached>
  bool run_until(Reached reached) {
    const auto give_up = queue.now() + std::chrono::hours{1};
    while (!reached())
      if (queue.now() > give_up || !queue.step())
        return reached();
    return true;
  }
  void run_for(nanoseconds time) {
    const auto end = queue.now() + time;
    while (queue.next() && *queue.next() <= end)
      queue.step();
    queue.advance_to(end);
  }
  bool changed(const std::string& what) const {
    return std::find(changes.begin(), changes.end(), what) != changes.end();
  }
  void run_to(const std::string& change) {
    INFO("waiting for: " << change);
    REQUIRE(run_until([&] { return changed(change); }));
  }
  mono_time time_of(const std::string& change) const {
    const auto found = std::find(changes.begin(), changes.end(), change);
    REQUIRE(found != changes.end());
    return when.at(static_cast<std::size_t>(found - changes.begin()));
  }

  template <class T>
  result<T> ask(const std::function<void(callback<T>)>& call) {
    const auto answer = std::make_shared<std::optional<result<T>>>();
    call([answer](result<T> given) { *answer = std::move(given); });
    REQUIRE(run_until([&] { return answer->has_value(); }));
    return **answer;
  }
  template <class T>
  static std::string code_of(const result<T>& value) {
    return value ? "ok" : std::string{to_string(value.error().code)};
  }

  std::string config(vm_id id, std::uint64_t memory_mib = 64) const {
    return "name: vm" + to_string(id) + "\nmemory: " + std::to_string(memory_mib) + "\n";
  }
  void put(
    vm_id id, const node_id& node, wire::run_state state = wire::run_state::running,
    std::uint64_t memory_mib = 64) {
    machines.put_machine(node, id, config(id, memory_mib), state);
  }
  void attach_all() {
    for (auto& [node, driver] : drivers_)
      REQUIRE(ask<std::vector<machine_status>>([&](auto reply) { driver->attach(reply); }));
  }
  std::string receive(vm_id id, const node_id& node, std::uint64_t number) {
    return code_of(ask<machine_status>(
      [&](auto reply) { at(node).receive(id, epoch{number}, config(id), reply); }));
  }
  result<listening> open_door(vm_id id, const node_id& node, std::uint64_t number) {
    return ask<listening>(
      [&](auto reply) { at(node).open_door(id, epoch{number}, stream_kind::tls, reply); });
  }
  result<done> stream(
    vm_id id, const node_id& node, std::uint64_t number, const listening& door,
    const stream_limits& limits = {}) {
    return ask<done>([&](auto reply) { at(node).stream(id, epoch{number}, door, limits, reply); });
  }
  result<wall_time> resume(vm_id id, const node_id& node) {
    return ask<wall_time>([&](auto reply) { at(node).resume(id, reply); });
  }
  std::string cancel(vm_id id, const node_id& node, std::uint64_t number) {
    return code_of(
      ask<done>([&](auto reply) { at(node).cancel_stream(id, epoch{number}, reply); }));
  }

  /// A guest of 64 MiB that writes 20 MB/s into 16 MB of it; its stream to the target has begun.
  void begin_move(
    const stream_limits& limits = {}, wire::run_state state = wire::run_state::running) {
    machines.set_load(vm, {20'000'000, 16'000'000});
    put(vm, source, state);
    attach_all();
    move_on(vm, source, target, 7, limits);
  }
  void move_on(
    vm_id id, const node_id& from, const node_id& to, std::uint64_t number,
    const stream_limits& limits = {}) {
    const auto text = at(from).started_config(id);
    REQUIRE(text);
    REQUIRE(
      ask<machine_status>([&](auto reply) { at(to).receive(id, epoch{number}, *text, reply); }));
    const auto door = open_door(id, to, number);
    REQUIRE(door);
    REQUIRE(stream(id, from, number, *door, limits));
  }

  std::optional<sim_copy> copy(const node_id& node) const {
    for (const auto& one : machines.copies(vm))
      if (one.node == node)
        return one;
    return std::nullopt;
  }
  bool runs(const node_id& node) const { return copy(node) && copy(node)->past_cont; }

private:
  std::map<node_id, event_log> logs_;
  std::map<node_id, std::unique_ptr<hypervisor>> drivers_;
};

} // namespace drover::test
