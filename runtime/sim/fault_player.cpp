#include "runtime/sim/fault_player.hpp"

#include <variant>

namespace drover {
namespace {

/// Half of the lines, while it lasts.
constexpr std::uint32_t duplicates_per_million = 500'000;

} // namespace

void fault_player::carry_out(const action::any& what) {
  std::visit([this](const auto& a) { on(a); }, what);
}

void fault_player::done(const char* word, const std::string& detail) {
  ++injected_[word];
  for (const auto& [stage, count] : watch_.stages())
    met_[word][stage] += count;
  world_.note(scenario_acted{word, detail});
}

void fault_player::later(const std::string& what, milliseconds span, std::function<void()> heal) {
  const auto mine = ++generation_[what];
  if (span.count() <= 0)
    return;
  ++under_way_;
  world_.queue().after(span, [this, what, mine, heal = std::move(heal)] {
    --under_way_;
    if (generation_[what] != mine)
      return;
    world_.note(scenario_acted{"healed", what});
    heal();
  });
}

void fault_player::on(const action::restart_controller& a) {
  if (!world_.has_controller())
    return;
  done(a.verb, {});
  watch_.controller_restarted();
  world_.start_controller();
}

void fault_player::on(const action::kill_target_qemu& a) {
  for (const auto& c : world_.machines().copies(a.vm)) {
    if (c.state != wire::run_state::incoming)
      continue;
    watch_.before_kill(a.vm, c.node);
    done(a.verb, to_string(a.vm));
    world_.machines().kill(c.node, a.vm);
    return;
  }
}

void fault_player::on(const action::kill_source_qemu& a) {
  for (const auto& c : world_.machines().copies(a.vm)) {
    if (c.state == wire::run_state::incoming)
      continue;
    watch_.before_kill(a.vm, c.node);
    done(a.verb, to_string(a.vm));
    world_.machines().kill(c.node, a.vm);
    return;
  }
}

void fault_player::on(const action::kill_agent& a) {
  done(a.verb, a.node.value);
  world_.host(a.node).kill_agents();
}

void fault_player::on(const action::kill_node& a) {
  if (!world_.host(a.node).is_up())
    return;
  watch_.before_node_dies(a.node);
  done(a.verb, a.node.value);
  world_.kill_node(a.node);
}

void fault_player::on(const action::boot_node& a) {
  if (world_.host(a.node).is_up())
    return;
  done(a.verb, a.node.value);
  world_.boot_node(a.node);
}

void fault_player::on(const action::slow_node& a) {
  done(a.verb, a.node.value);
  world_.machines().slow_down(a.node, a.times);
  later("slow_node " + a.node.value, a.span, [this, a] { world_.machines().slow_down(a.node, 1); });
}

void fault_player::on(const action::cut_link& a) {
  if (!world_.host(a.node).is_up())
    return;
  done(a.verb, a.node.value);
  world_.wires().cut(a.node);
  if (a.span.count() <= 0)
    return;
  world_.wires().refuse(a.node);
  later("cut_link " + a.node.value, a.span, [this, a] {
    if (world_.host(a.node).is_up())
      world_.wires().heal(a.node);
  });
}

void fault_player::on(const action::half_open_link& a) {
  if (!world_.host(a.node).is_up())
    return;
  done(a.verb, a.node.value);
  world_.wires().silence(a.node);
  later("half_open_link " + a.node.value, a.span, [this, a] {
    if (world_.host(a.node).is_up())
      world_.wires().heal(a.node);
  });
}

void fault_player::on(const action::slow_link& a) {
  done(a.verb, a.node.value);
  usual_latency_.try_emplace(a.node, world_.wires().latency(a.node));
  world_.wires().set_latency(a.node, a.latency);
  later("slow_link " + a.node.value, a.span, [this, a] {
    world_.wires().set_latency(a.node, usual_latency_.at(a.node));
  });
}

void fault_player::on(const action::duplicate_lines& a) {
  done(a.verb, a.node.value);
  world_.wires().set_duplicates(a.node, duplicates_per_million);
  later("duplicate_lines " + a.node.value, a.span, [this, a] {
    world_.wires().set_duplicates(a.node, 0);
  });
}

void fault_player::on(const action::lag& a) {
  done(a.verb, a.node.value);
  world_.store().set_lag(a.node, a.delay);
  later("lag " + a.node.value, a.span, [this, a] {
    world_.store().set_lag(a.node, world_.usual_lag(a.node));
  });
}

void fault_player::on(const action::hang_store& a) {
  done(a.verb, std::to_string(a.span.count()) + " ms");
  world_.store().hang(a.span);
}

void fault_player::on(const action::lose_quorum& a) {
  done(a.verb, a.node ? a.node->value : "all");
  for (const auto& [node, host] : world_.hosts())
    if (!a.node || *a.node == node)
      world_.store().set_quorum_lost(node, a.span);
}

void fault_player::on(const action::change_membership& a) {
  done(a.verb, std::to_string(a.applied_percent) + " % applied");
  world_.store().change_membership(a.span, a.applied_percent * 10'000);
}

void fault_player::on(const action::cut_store& a) {
  done(a.verb, a.node.value);
  world_.store().cut_off(a.node);
  later("cut_store " + a.node.value, a.span, [this, a] {
    world_.store().heal(
      a.node, a.heal == action::store_heal::kept ? heal_outcome::kept : heal_outcome::rolled_back);
  });
}

void fault_player::on(const action::remove_lock& a) {
  done(a.verb, a.lock);
  world_.store().remove_lock(a.lock, a.taken_by);
}

void fault_player::on(const action::fail_writes& a) {
  done(a.verb, a.node.value);
  world_.store().fail_writes(a.node, a.count);
}

void fault_player::on(const action::fail_marks& a) {
  done(a.verb, a.node.value);
  world_.host(a.node).fail_marks(a.count);
}

void fault_player::on(const action::refuse_receive& a) {
  done(a.verb, a.node.value);
  world_.machines().refuse_receive(a.node, a.count, "no memory is left for it");
}

void fault_player::on(const action::lose_acknowledgement& a) {
  done(a.verb, to_string(a.vm));
  world_.machines().lose_acknowledgement(a.vm);
}

void fault_player::on(const action::cut_streams& a) {
  done(a.verb, a.node.value);
  world_.machines().cut_streams(a.node);
}

void fault_player::on(const action::clock_jump& a) {
  done(a.verb, a.node.value + " by " + std::to_string(a.by.count()) + " ms");
  world_.clocks().jump(a.node, a.by);
}

void fault_player::on(const action::stall_streams& a) {
  done(a.verb, a.node.value);
  world_.machines().stall_streams(a.node, a.span);
}

} // namespace drover
