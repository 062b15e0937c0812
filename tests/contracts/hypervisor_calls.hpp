// The port's calls as the contract's checks make them: ask, let things happen, look at the answer.
#pragma once

#include "runtime/base/error.hpp"
#include "tests/contracts/hypervisor_rig.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace drover::contracts {

template <class T>
std::string code_of(const result<T>& value) {
  return value ? "ok" : std::string{to_string(value.error().code)};
}

/// Two nodes with one VM between them.
class hypervisor_calls {
public:
  explicit hypervisor_calls(std::unique_ptr<hypervisor_rig> rig) : rig_(std::move(rig)) {
    at(side::source).listen(&heard(side::source));
    at(side::target).listen(&heard(side::target));
  }

  const vm_id vm{100};
  stream_kind kind = stream_kind::tls;
  std::uint32_t channels = 1;

  hypervisor_rig& rig() { return *rig_; }
  hypervisor& at(side which) { return rig_->at(which); }
  event_log& heard(side which) { return which == side::source ? source_log_ : target_log_; }

  template <class Reached>
  void wait_for(const std::string& what, Reached reached) {
    INFO("waiting for: " << what);
    REQUIRE(rig_->run_until(reached));
  }
  void wait_heard(side which, const std::string& what) {
    wait_for(what, [&] { return heard(which).has(what); });
  }

  template <class T>
  result<T> ask(const std::function<void(callback<T>)>& call) {
    // Shared, because an answer that comes after the wait was given up still writes it.
    const auto answer = std::make_shared<std::optional<result<T>>>();
    call([answer](result<T> given) {
      REQUIRE_FALSE(answer->has_value()); // once
      *answer = std::move(given);
    });
    REQUIRE_FALSE(answer->has_value()); // never inside the call
    wait_for("an answer", [&] { return answer->has_value(); });
    return **answer;
  }

  result<machine_status> start(side which, const std::string& config) {
    return ask<machine_status>([&](auto reply) { at(which).start(vm, config, reply); });
  }
  result<machine_status> receive(std::uint64_t number, const std::string& config) {
    return ask<machine_status>(
      [&](auto reply) { at(side::target).receive(vm, epoch{number}, config, reply); });
  }
  result<listening> open_door(std::uint64_t number) {
    return ask<listening>([&](auto reply) {
      at(side::target).open_door(vm, epoch{number}, {kind, channels}, reply);
    });
  }
  /// The VM runs at the source, and its receiver waits behind an open door under epoch 7.
  listening door_of_receiver(const std::string& config) {
    REQUIRE(code_of(start(side::source, config)) == "ok");
    REQUIRE(code_of(receive(7, *at(side::source).started_config(vm))) == "ok");
    const auto door = open_door(7);
    INFO((door ? "" : to_string(door.error())));
    REQUIRE(door);
    return *door;
  }
  result<done> stream(
    std::uint64_t number, const listening& door, const stream_limits& limits = {}) {
    return ask<done>(
      [&](auto reply) { at(side::source).stream(vm, epoch{number}, door, limits, reply); });
  }
  result<done> cancel(std::uint64_t number) {
    return ask<done>([&](auto reply) { at(side::source).cancel_stream(vm, epoch{number}, reply); });
  }
  result<wall_time> resume(side which) {
    return ask<wall_time>([&](auto reply) { at(which).resume(vm, reply); });
  }
  result<wire::machine_facts> facts(side which) {
    return ask<wire::machine_facts>([&](auto reply) { at(which).facts(vm, reply); });
  }
  result<done> quit(side which) {
    return ask<done>([&](auto reply) { at(which).quit(vm, reply); });
  }
  result<done> kill(side which) {
    return ask<done>([&](auto reply) { at(which).kill(vm, reply); });
  }
  std::vector<machine_status> attach(side which) {
    auto all = ask<std::vector<machine_status>>([&](auto reply) { at(which).attach(reply); });
    REQUIRE(code_of(all) == "ok");
    return *all;
  }
  wire::run_state state(side which) {
    const auto status = at(which).find(vm);
    return status ? status->state : wire::run_state::absent;
  }

  /// Starts the VM on the source and a receiver under `number` from the same facts; the stream
  /// runs.
  void begin_move(
    std::uint64_t number, const std::string& config, const stream_limits& limits = {}) {
    REQUIRE(code_of(start(side::source, config)) == "ok");
    begin_stream(number, limits);
  }
  void begin_stream(std::uint64_t number, const stream_limits& limits = {}) {
    const auto started = at(side::source).started_config(vm);
    REQUIRE(code_of(started) == "ok");
    REQUIRE(code_of(receive(number, *started)) == "ok");
    const auto door = open_door(number);
    REQUIRE(code_of(door) == "ok");
    REQUIRE(code_of(stream(number, *door, limits)) == "ok");
  }
  void wait_completed() {
    wait_heard(side::target, "completed");
    wait_heard(side::source, "completed");
  }
  /// The driver of one side goes and another one comes, which has to find out everything itself.
  std::vector<machine_status> restart(side which) {
    heard(which) = {};
    rig_->restart(which, heard(which));
    return attach(which);
  }

private:
  event_log source_log_;
  event_log target_log_;
  std::unique_ptr<hypervisor_rig> rig_; ///< goes first: its drivers tell until they are gone
};

} // namespace drover::contracts
