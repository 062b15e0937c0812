// The two ports as questions that a coroutine can wait for. Rule: no decision is made here; a
// question is asked when the function is called, not when its answer is awaited.
#pragma once

#include "runtime/agent/task.hpp"
#include "runtime/hypervisor/hypervisor.hpp"
#include "runtime/store/store.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace drover {

class store_asks {
public:
  explicit store_asks(store& port) : port_(port) {}

  pending<std::map<vm_id, node_id>> places() {
    return ask<std::map<vm_id, node_id>>([this](auto a) { port_.read_places(std::move(a)); });
  }
  pending<std::optional<node_id>> owner(vm_id vm) {
    return ask<std::optional<node_id>>([&](auto a) { port_.read_owner(vm, std::move(a)); });
  }
  pending<std::string> config(vm_id vm, const node_id& node) {
    return ask<std::string>([&](auto a) { port_.read_config(vm, node, std::move(a)); });
  }
  pending<done> write_config(vm_id vm, const node_id& node, config_edit edit) {
    return ask<done>([&](auto a) { port_.write_config(vm, node, std::move(edit), std::move(a)); });
  }
  pending<done> move(vm_id vm, const node_id& from, const node_id& to) {
    return ask<done>([&](auto a) { port_.move_config(vm, from, to, std::move(a)); });
  }
  pending<std::optional<handover_record>> record(vm_id vm) {
    return ask<std::optional<handover_record>>(
      [&](auto a) { port_.read_record(vm, std::move(a)); });
  }
  pending<std::map<vm_id, handover_record>> records() {
    return ask<std::map<vm_id, handover_record>>(
      [this](auto a) { port_.read_records(std::move(a)); });
  }
  pending<done> write_record(const handover_record& record) {
    return ask<done>([&](auto a) { port_.write_record(record, std::move(a)); });
  }
  pending<done> barrier() {
    return ask<done>([this](auto a) { port_.barrier(std::move(a)); });
  }
  pending<vm_view> view(vm_id vm) {
    return ask<vm_view>([&](auto a) { port_.read_view(vm, std::move(a)); });
  }
  pending<vm_view> view_behind_barrier(vm_id vm) {
    return ask<vm_view>([&](auto a) { port_.read_view_behind_barrier(vm, std::move(a)); });
  }
  pending<done> take_lock(const std::string& name, const std::string& holder) {
    return ask<done>([&](auto a) { port_.take_lock(name, holder, std::move(a)); });
  }
  pending<done> drop_lock(const std::string& name, const std::string& holder) {
    return ask<done>([&](auto a) { port_.drop_lock(name, holder, std::move(a)); });
  }
  pending<std::vector<store_lock>> locks(const std::string& prefix) {
    return ask<std::vector<store_lock>>([&](auto a) { port_.read_locks(prefix, std::move(a)); });
  }
  pending<std::string> membership() {
    return ask<std::string>([this](auto a) { port_.read_membership(std::move(a)); });
  }

private:
  template <class T, class F>
  static pending<T> ask(F&& question) {
    pending<T> p;
    question(callback<T>{p.answer()});
    return p;
  }

  store& port_;
};

class machine_asks {
public:
  explicit machine_asks(hypervisor& port) : port_(port) {}

  pending<std::vector<machine_status>> attach() {
    return ask<std::vector<machine_status>>([this](auto a) { port_.attach(std::move(a)); });
  }
  pending<machine_status> start(vm_id vm, const std::string& config) {
    return ask<machine_status>([&](auto a) { port_.start(vm, config, std::move(a)); });
  }
  pending<wire::machine_facts> facts(vm_id vm) {
    return ask<wire::machine_facts>([&](auto a) { port_.facts(vm, std::move(a)); });
  }
  pending<done> quit(vm_id vm) {
    return ask<done>([&](auto a) { port_.quit(vm, std::move(a)); });
  }
  pending<done> kill(vm_id vm) {
    return ask<done>([&](auto a) { port_.kill(vm, std::move(a)); });
  }
  pending<machine_status> receive(vm_id vm, epoch number, const std::string& config) {
    return ask<machine_status>([&](auto a) { port_.receive(vm, number, config, std::move(a)); });
  }
  pending<listening> open_door(vm_id vm, epoch number, const stream_form& form) {
    return ask<listening>([&](auto a) { port_.open_door(vm, number, form, std::move(a)); });
  }
  pending<done> stream(vm_id vm, epoch number, const listening& door, const stream_limits& limits) {
    return ask<done>([&](auto a) { port_.stream(vm, number, door, limits, std::move(a)); });
  }
  pending<done> set_downtime_limit(vm_id vm, std::uint32_t limit_ms) {
    return ask<done>([&](auto a) { port_.set_downtime_limit(vm, limit_ms, std::move(a)); });
  }
  pending<done> set_bandwidth(vm_id vm, std::uint64_t bytes_per_s) {
    return ask<done>([&](auto a) { port_.set_bandwidth(vm, bytes_per_s, std::move(a)); });
  }
  pending<done> cancel_stream(vm_id vm, epoch number) {
    return ask<done>([&](auto a) { port_.cancel_stream(vm, number, std::move(a)); });
  }
  pending<wall_time> resume(vm_id vm) {
    return ask<wall_time>([&](auto a) { port_.resume(vm, std::move(a)); });
  }

private:
  template <class T, class F>
  static pending<T> ask(F&& question) {
    pending<T> p;
    question(callback<T>{p.answer()});
    return p;
  }

  hypervisor& port_;
};

} // namespace drover
