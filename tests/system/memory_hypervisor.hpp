// Machines that are only numbers, with real doors between them: for clusters with more nodes than
// this machine could run QEMUs for. Rule: keeps the port's order of events; what runs ends with the
// agent.
#pragma once

#include "runtime/hypervisor/hypervisor.hpp"
#include "runtime/hypervisor/stream_door.hpp"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <map>
#include <memory>

namespace drover::testing {

class memory_hypervisor final : public hypervisor {
public:
  explicit memory_hypervisor(asio::io_context& loop) : loop_(loop) {}

  /// As if each had been started with its config before the agent was.
  void run_already(const std::map<vm_id, std::string>& configs);

  void listen(hypervisor_events* events) override { events_ = events; }
  void attach(callback<std::vector<machine_status>> answer) override;
  std::string version() const override { return "memory"; }
  std::vector<machine_status> list() const override;
  std::optional<machine_status> find(vm_id vm) const override;
  std::vector<std::string> blockers(const std::string&) const override { return {}; }
  void start(vm_id vm, const std::string& config, callback<machine_status> answer) override;
  result<std::string> started_config(vm_id vm) const override;
  void facts(vm_id vm, callback<wire::machine_facts> answer) override;
  void quit(vm_id vm, callback<done> answer) override { end(vm, std::move(answer)); }
  void kill(vm_id vm, callback<done> answer) override { end(vm, std::move(answer)); }
  void receive(
    vm_id vm, epoch number, const std::string& config, callback<machine_status> answer) override;
  std::uint32_t channels_max(vm_id) const override { return 1; }
  void open_door(
    vm_id vm, epoch number, const stream_form& form, callback<listening> answer) override;
  void stream(
    vm_id vm, epoch number, const listening& door, const stream_limits& limits,
    callback<done> answer) override;
  void set_downtime_limit(vm_id vm, std::uint32_t limit_ms, callback<done> answer) override;
  void set_bandwidth(vm_id vm, std::uint64_t bytes_per_s, callback<done> answer) override;
  void cancel_stream(vm_id vm, epoch number, callback<done> answer) override;
  std::optional<wire::outcome> stream_outcome(vm_id vm, epoch number) const override;
  void resume(vm_id vm, callback<wall_time> answer) override;

private:
  struct machine {
    wire::run_state state = wire::run_state::running;
    epoch number;
    std::string config;
    std::shared_ptr<stream_door> door;
    std::shared_ptr<stream_knock> knock;
    std::map<epoch, wire::outcome> ends;
  };
  /// One stream's connection: a byte there when all is sent, a byte back when all is loaded.
  struct way {
    way(asio::io_context& loop, unique_fd fd) : line(loop, fd.release()) {}
    asio::posix::stream_descriptor line;
    char byte = 0;
  };

  template <class T>
  void later(callback<T> answer, result<T> value);
  void end(vm_id vm, callback<done> answer);
  void load(vm_id vm, epoch number, unique_fd connection);
  void send(vm_id vm, epoch number, unique_fd connection);
  void finish(vm_id vm, epoch number, wire::outcome outcome);

  asio::io_context& loop_;
  hypervisor_events* events_ = nullptr;
  std::map<vm_id, machine> machines_;
};

} // namespace drover::testing
