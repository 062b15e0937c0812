#include "runtime/hypervisor/sim_hypervisor.hpp"

#include "runtime/base/check.hpp"
#include "runtime/hypervisor/sim_driver.hpp"
#include "runtime/hypervisor/sim_park.hpp"

#include <utility>

namespace drover {

struct sim_machines::parts {
  std::shared_ptr<sim_park> park;
};

sim_machines::sim_machines(event_queue& queue, luck chance, sim_machine_settings settings)
  : parts_(std::make_shared<parts>()) {
  parts_->park = std::make_shared<sim_park>(queue, chance, std::move(settings));
  parts_->park->on_change = [this](const machine_changed& change) {
    if (on_change)
      on_change(change);
  };
}

sim_machines::~sim_machines() { parts_->park->on_change = nullptr; }

std::unique_ptr<hypervisor> sim_machines::open(const node_id& node) {
  return std::make_unique<sim_driver>(parts_->park, node);
}

void sim_machines::set_load(vm_id vm, const sim_load& load) { parts_->park->set_load(vm, load); }

void sim_machines::put_machine(
  const node_id& node, vm_id vm, const std::string& config, wire::run_state state) {
  auto launch = plan_sim_launch(vm, config, sim_launch_mode::run);
  DROVER_CHECK(launch.has_value(), "a VM that is put into the world has a config that starts");
  DROVER_CHECK(!parts_->park->find(node, vm), "one QEMU of a VM runs on a node");
  parts_->park->put(node, vm, std::move(*launch), state);
}

bool sim_machines::kill(const node_id& node, vm_id vm) {
  const auto qemu = parts_->park->find(node, vm);
  if (!qemu)
    return false;
  parts_->park->end_process(qemu, "was killed by signal 9");
  return true;
}

bool sim_machines::kill_receiver(vm_id vm) {
  for (const auto& qemu : parts_->park->all_of(vm))
    if (qemu->role == sim_role::target && !qemu->has_run)
      return kill(qemu->node, vm);
  return false;
}

void sim_machines::kill_node(const node_id& node) { parts_->park->kill_node(node); }

void sim_machines::cut_streams(const node_id& node) { parts_->park->cut_streams(node); }

void sim_machines::stall_streams(const node_id& node, nanoseconds how_long) {
  parts_->park->stall_streams(node, how_long);
}

void sim_machines::lose_acknowledgement(vm_id vm) { parts_->park->lose_acknowledgement(vm); }

void sim_machines::refuse_receive(
  const node_id& node, std::uint32_t count, const std::string& reason) {
  parts_->park->refuse_receive(node, count, reason);
}

void sim_machines::slow_down(const node_id& node, std::uint32_t times) {
  parts_->park->slow_down(node, times);
}

void sim_machines::hold_news(const node_id& node, nanoseconds how_long) {
  parts_->park->hold_news(node, how_long);
}

bool sim_machines::is_turned_away(const listening& door, const std::string& token) const {
  return parts_->park->knock(door, token) != sim_park::visit::admitted;
}

std::vector<sim_copy> sim_machines::copies() const { return parts_->park->copies(); }

std::vector<sim_copy> sim_machines::copies(vm_id vm) const { return parts_->park->copies(vm); }

std::uint64_t sim_machines::newest_memory(vm_id vm) const {
  return parts_->park->newest_memory(vm);
}

} // namespace drover
