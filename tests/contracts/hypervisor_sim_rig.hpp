// Two simulated nodes in virtual time. Rule: nothing here waits; time passes from event to event.
#pragma once

#include "runtime/hypervisor/sim_hypervisor.hpp"
#include "tests/contracts/hypervisor_rig.hpp"

#include <memory>
#include <string>

namespace drover::contracts {

class sim_rig final : public hypervisor_rig {
public:
  explicit sim_rig(std::uint64_t seed = 1) : machines_(queue_, luck{seed}, {}) {}

  hypervisor& at(side which) override { return *driver(which); }
  std::string small_config() override { return config("16"); }
  std::string large_config() override { return config("64"); }
  /// Some six seconds for 64 MiB.
  stream_limits slow_limits() override { return {10'000'000, 0}; }
  std::string other_cpu_config() override { return config("16", "cpu: max\n"); }
  /// More memory than any host has.
  std::string broken_config() override { return config("16", "args: -m 16T\n"); }
  std::string broken_word() override { return "cannot set up guest memory"; }

  bool run_until(const std::function<bool()>& reached) override {
    const auto give_up = queue_.now() + std::chrono::minutes{10};
    while (!reached())
      if (queue_.now() > give_up || !queue_.step())
        return reached();
    return true;
  }
  void crash(side which, vm_id vm) override { machines_.kill(node(which), vm); }
  void restart(side which, hypervisor_events& events) override {
    driver(which).reset();
    driver(which) = machines_.open(node(which));
    at(which).listen(&events);
  }
  bool is_turned_away(const listening& door, const std::string& token) override {
    return machines_.is_turned_away(door, token);
  }

private:
  static std::string config(const std::string& memory, const std::string& more = {}) {
    return "name: guest\nmemory: " + memory + "\nscsi0: shared:100/vm-100-disk-0.raw,size=4G\n" +
           more;
  }
  static node_id node(side which) { return node_id{which == side::source ? "n1" : "n2"}; }
  std::unique_ptr<hypervisor>& driver(side which) {
    return which == side::source ? source_ : target_;
  }

  event_queue queue_;
  sim_machines machines_;
  std::unique_ptr<hypervisor> source_ = machines_.open(node(side::source));
  std::unique_ptr<hypervisor> target_ = machines_.open(node(side::target));
};

} // namespace drover::contracts
