// Driver of the hypervisor port for QEMU on this host, over QMP. Rule: everything runs on the
// loop's one thread; nothing is kept that the run directory and QEMU cannot tell again, so the
// driver can be destroyed at any moment and its QEMUs run on. Picture: README.md.
#pragma once

#include "runtime/hypervisor/hypervisor.hpp"
#include "runtime/hypervisor/qemu_settings.hpp"

#include <asio/io_context.hpp>
#include <memory>

namespace drover {

class qemu_hypervisor final : public hypervisor {
public:
  /// `loop` outlives the driver, and the driver is used and destroyed on its thread.
  qemu_hypervisor(asio::io_context& loop, qemu_settings settings);
  ~qemu_hypervisor() override;
  qemu_hypervisor(const qemu_hypervisor&) = delete;
  qemu_hypervisor& operator=(const qemu_hypervisor&) = delete;

  void listen(hypervisor_events* events) override;
  void attach(callback<std::vector<machine_status>> answer) override;
  std::string version() const override;
  std::string encryption_objection() const override;
  std::vector<machine_status> list() const override;
  std::vector<std::string> litter() const override;
  void sweep() override;
  std::optional<machine_status> find(vm_id vm) const override;
  std::vector<std::string> blockers(const std::string& config) const override;
  void start(vm_id vm, const std::string& config, callback<machine_status> answer) override;
  result<std::string> started_config(vm_id vm) const override;
  void facts(vm_id vm, callback<wire::machine_facts> answer) override;
  std::optional<wire::machine_facts> planned_facts(vm_id vm) const override;
  void quit(vm_id vm, callback<done> answer) override;
  void kill(vm_id vm, callback<done> answer) override;
  void receive(
    vm_id vm, epoch number, const std::string& config, callback<machine_status> answer) override;
  std::uint32_t channels_max(vm_id vm) const override;
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
  class driver;
  std::shared_ptr<driver> driver_;
};

} // namespace drover
