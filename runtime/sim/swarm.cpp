#include "runtime/sim/swarm.hpp"

#include "runtime/base/luck.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

using std::chrono::microseconds;

class drawing {
public:
  drawing(scenario_file of, std::uint64_t seed)
    : of_(std::move(of)), random_(*of_.random), chance_(luck{seed}.fork("swarm")),
      clock_chance_(luck{seed}.fork("clocks")) {}

  scenario_file draw() {
    draw_nodes();
    draw_vms();
    draw_times();
    draw_clocks();
    for (const auto& group : of_.vms)
      for (std::uint32_t i = 0; i < group.count; ++i)
        vms_.push_back(vm_id{group.first.value + i});
    for (const auto& [name, node] : of_.nodes)
      nodes_.push_back(name);
    draw_evacuations();
    draw_faults();
    draw_policy();
    of_.random.reset();
    of_.is_drawn = true;
    return std::move(of_);
  }

private:
  std::uint32_t between(std::uint32_t least, std::uint32_t most) {
    return least + static_cast<std::uint32_t>(chance_.below(std::uint64_t{most} - least + 1));
  }
  milliseconds time_between(milliseconds least, milliseconds most) {
    return least + milliseconds{static_cast<std::int64_t>(
                     chance_.below(static_cast<std::uint64_t>((most - least).count()) + 1))};
  }
  node_id a_node() { return nodes_[chance_.below(nodes_.size())]; }
  vm_id a_vm() { return vms_[chance_.below(vms_.size())]; }

  void draw_nodes() {
    if (!random_.nodes)
      return;
    of_.nodes.clear();
    const auto count = between(random_.nodes->least, random_.nodes->most);
    for (std::uint32_t i = 1; i <= count; ++i) {
      scenario_node node;
      node.memory_bytes = 64ULL << 30U;
      node.limits.prepare = between(2, 12);
      node.limits.inbound = between(2, 12);
      node.limits.streams = between(1, 4);
      of_.nodes.emplace(node_id{"n" + std::to_string(i)}, node);
    }
    of_.limits.cluster = between(4, 32);
    of_.limits.windows = between(1, 6);
  }

  void draw_vms() {
    if (!random_.vms)
      return;
    of_.vms.clear();
    std::vector<node_id> names;
    for (const auto& [name, node] : of_.nodes)
      names.push_back(name);
    const auto count = between(random_.vms->least, random_.vms->most);
    for (std::uint32_t i = 0; i < count; ++i) {
      scenario_vms vm;
      vm.first = vm_id{100 + i};
      // Half of them on the node that is emptied first.
      vm.node = chance_.chance(500'000) ? names.front() : names[chance_.below(names.size())];
      vm.settings.memory_kib = static_cast<std::uint32_t>(
        (random_.memory_bytes.empty()
           ? 2ULL << 20U
           : random_.memory_bytes[chance_.below(random_.memory_bytes.size())]) /
        1024);
      vm.settings.pages_per_beat = between(0, 60);
      vm.settings.working_set_pages = between(64, 4096);
      vm.paused = chance_.chance(50'000);
      of_.vms.push_back(vm);
    }
  }

  /// Each seed has its own weather: mostly quick, sometimes a store or a link that lags badly.
  void draw_times() {
    const auto lag = milliseconds{1LL << chance_.below(12)};
    of_.store.lag = {microseconds{0}, lag, between(0, 20'000), 4 * lag};
    for (auto& [name, node] : of_.nodes) {
      if (chance_.chance(200'000))
        node.store_lag = delay_range{microseconds{0}, milliseconds{between(1, 5'000)}, 0, {}};
      if (chance_.chance(300'000))
        node.link_latency = delay_range{microseconds{50}, milliseconds{between(1, 80)}, 0, {}};
    }
  }

  /// A day wrong, at most, and as far apart as crystals are.
  void draw_clocks() {
    if (!random_.clocks)
      return;
    for (auto& [name, node] : of_.nodes) {
      auto& clock = node.clock;
      clock.shows.ahead = some_time_off();
      clock.shows.up = std::chrono::seconds{clock_chance_.below(1'000'000)};
      clock.shows.drift_per_million = static_cast<std::int64_t>(clock_chance_.below(199)) - 99;
      clock.heard_after = milliseconds{clock_chance_.below(4)};
    }
  }
  /// From beyond what counts as a jump to a day, forward or back.
  milliseconds some_time_off() {
    const auto most = 100LL << clock_chance_.below(20);
    const milliseconds off{
      11 + static_cast<std::int64_t>(clock_chance_.below(static_cast<std::uint64_t>(most)))};
    return clock_chance_.chance(500'000) ? off : -off;
  }

  void add(milliseconds at, action::any what) {
    of_.actions.push_back({std::nullopt, at, std::move(what)});
  }

  void draw_evacuations() {
    const auto last = std::max<std::int64_t>(random_.until.count() / 2, 1);
    for (std::uint32_t i = 0; i < random_.evacuations; ++i) {
      action::evacuate order;
      order.node = i == 0 ? nodes_.front() : a_node();
      add(i == 0 ? milliseconds{0} : time_between(milliseconds{0}, milliseconds{last}), order);
    }
  }

  void draw_policy() {
    if (random_.policies.empty())
      return;
    const auto how = random_.policies[chance_.below(random_.policies.size())];
    for (auto& a : of_.actions) {
      if (auto* e = std::get_if<action::evacuate>(&a.what))
        e->how = how;
      if (auto* m = std::get_if<action::migrate>(&a.what))
        m->how = how;
    }
  }

  /// Of the kinds that the scenario names, each seed leaves some out: rare combinations show only
  /// where the common faults are away.
  void draw_faults() {
    std::vector<std::pair<fault_kind, std::uint64_t>> kinds;
    std::uint64_t total = 0;
    for (const auto& [kind, weight] : random_.faults)
      if (chance_.chance(500'000)) {
        total += weight;
        kinds.emplace_back(kind, total);
      }
    if (kinds.empty())
      return;
    const auto gap = std::max<std::int64_t>(random_.every.count(), 1);
    auto at = milliseconds{0};
    for (;;) {
      at += time_between(milliseconds{1}, milliseconds{2 * gap});
      if (at >= random_.until)
        return;
      const auto luck_now = chance_.below(total);
      const auto kind = std::find_if(
        kinds.begin(), kinds.end(), [&](const auto& k) { return luck_now < k.second; });
      add_fault(at, kind->first);
    }
  }

  milliseconds a_span(std::int64_t most_ms) {
    return time_between(milliseconds{1}, milliseconds{most_ms});
  }

  void add_fault(milliseconds at, fault_kind kind) {
    switch (kind) {
    case fault_kind::restart_controller:
      return add(at, action::restart_controller{});
    case fault_kind::kill_target_qemu:
      return add(at, action::kill_target_qemu{a_vm()});
    case fault_kind::kill_source_qemu:
      return add(at, action::kill_source_qemu{a_vm()});
    case fault_kind::kill_agent:
      return add(at, action::kill_agent{a_node()});
    case fault_kind::kill_node:
      return add_node_death(at);
    case fault_kind::slow_node:
      return add(at, action::slow_node{a_node(), between(2, 50), a_span(5'000)});
    case fault_kind::cut_link:
      return add(at, action::cut_link{a_node(), a_span(3'000)});
    case fault_kind::half_open_link:
      return add(at, action::half_open_link{a_node(), a_span(20'000)});
    case fault_kind::slow_link:
      return add(
        at,
        action::slow_link{
          a_node(), {microseconds{100}, milliseconds{between(1, 2'000)}, 0, {}}, a_span(5'000)});
    case fault_kind::duplicate_lines:
      return add(at, action::duplicate_lines{a_node(), a_span(5'000)});
    default:
      return add_store_fault(at, kind);
    }
  }

  void add_node_death(milliseconds at) {
    const auto node = a_node();
    // One dead host at a time, so that there is somebody left to evacuate to.
    if (at < dead_until_)
      return;
    dead_until_ = at + milliseconds{12'000} + a_span(20'000);
    add(at, action::kill_node{node});
    add(dead_until_, action::boot_node{node});
  }

  void add_store_fault(milliseconds at, fault_kind kind) {
    switch (kind) {
    case fault_kind::lag:
      return add(
        at,
        action::lag{
          a_node(), {microseconds{0}, milliseconds{between(10, 10'000)}, 0, {}}, a_span(8'000)});
    case fault_kind::hang_store:
      return add(at, action::hang_store{a_span(9'000)});
    case fault_kind::lose_quorum:
      return add(
        at, action::lose_quorum{
              chance_.chance(300'000) ? std::nullopt : std::optional{a_node()}, a_span(8'000)});
    case fault_kind::change_membership:
      return add(at, action::change_membership{a_span(3'000), between(0, 100)});
    case fault_kind::cut_store:
      return add(at, action::cut_store{a_node(), a_span(15'000), action::store_heal::kept});
    case fault_kind::roll_back_store:
      return add(at, action::cut_store{a_node(), a_span(15'000), action::store_heal::rolled_back});
    case fault_kind::remove_lock:
      return add(at, action::remove_lock{"drover-handover"});
    case fault_kind::fail_writes:
      return add(at, action::fail_writes{a_node(), between(1, 5)});
    default:
      return add_stream_fault(at, kind);
    }
  }

  void add_stream_fault(milliseconds at, fault_kind kind) {
    switch (kind) {
    case fault_kind::fail_marks:
      return add(at, action::fail_marks{a_node(), between(1, 5)});
    case fault_kind::refuse_receive:
      return add(at, action::refuse_receive{a_node(), between(1, 3)});
    case fault_kind::lose_acknowledgement:
      return add(at, action::lose_acknowledgement{a_vm()});
    case fault_kind::cut_streams:
      return add(at, action::cut_streams{a_node()});
    case fault_kind::stall_streams:
      return add(at, action::stall_streams{a_node(), a_span(8'000)});
    case fault_kind::cancel:
      return add(at, action::cancel{});
    case fault_kind::clock_jump:
      return add(at, action::clock_jump{a_node(), some_time_off()});
    default:
      return;
    }
  }

  scenario_file of_;
  scenario_random random_;
  luck chance_;
  luck clock_chance_; ///< of its own, so that nothing else of a seed changes with it
  std::vector<node_id> nodes_;
  std::vector<vm_id> vms_;
  milliseconds dead_until_{0};
};

} // namespace

scenario_file drawn(const scenario_file& scenario, std::uint64_t seed) {
  if (!scenario.random)
    return scenario;
  return drawing{scenario, seed}.draw();
}

} // namespace drover
