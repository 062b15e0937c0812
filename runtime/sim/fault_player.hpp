// Carries out a scenario's faults on a simulated world, and takes them back when their time is
// over. Rule: it tells the invariants what a fault destroys before it does, and never looks at what
// drover does.
#pragma once

#include "runtime/scenario/scenario_action.hpp"
#include "runtime/sim/invariants.hpp"
#include "runtime/sim/sim_world.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace drover {

/// How many migrations a fault met, by its word and by the phase they were in: before_stream,
/// streaming, window (from both QEMUs' end to the resume), after, back_out.
using fault_meetings = std::map<std::string, std::map<std::string, std::uint64_t>>;

class fault_player {
public:
  fault_player(sim_world& world, invariants& watch) : world_(world), watch_(watch) {}

  void carry_out(const action::any& what);
  /// How often each fault found something to break, by its word.
  const std::map<std::string, std::uint64_t>& injected() const { return injected_; }
  /// Faults that still have to heal by themselves.
  std::size_t under_way() const { return under_way_; }
  const fault_meetings& met() const { return met_; }

private:
  // What the operator does is not a fault.
  void on(const action::evacuate&) {}
  void on(const action::migrate&) {}
  void on(const action::cancel&) {}
  void on(const action::recover&) {}
  void on(const action::restart_controller& a);
  void on(const action::kill_target_qemu& a);
  void on(const action::kill_source_qemu& a);
  void on(const action::kill_agent& a);
  void on(const action::kill_node& a);
  void on(const action::boot_node& a);
  void on(const action::slow_node& a);
  void on(const action::cut_link& a);
  void on(const action::half_open_link& a);
  void on(const action::slow_link& a);
  void on(const action::duplicate_lines& a);
  void on(const action::lag& a);
  void on(const action::hang_store& a);
  void on(const action::lose_quorum& a);
  void on(const action::change_membership& a);
  void on(const action::cut_store& a);
  void on(const action::remove_lock& a);
  void on(const action::fail_writes& a);
  void on(const action::fail_marks& a);
  void on(const action::refuse_receive& a);
  void on(const action::lose_acknowledgement& a);
  void on(const action::cut_streams& a);
  void on(const action::stall_streams& a);
  void on(const action::clock_jump& a);
  /// Simulated doors turn them away at no cost.
  void on(const action::strangers& a) { done(a.verb, a.node.value); }

  void done(const char* word, const std::string& detail);
  /// The last of several overlapping faults of a kind decides when it heals.
  void later(const std::string& what, milliseconds span, std::function<void()> heal);

  sim_world& world_;
  invariants& watch_;
  std::map<std::string, std::uint64_t> injected_;
  fault_meetings met_;
  std::map<std::string, std::uint64_t> generation_;
  std::size_t under_way_ = 0;
  std::map<node_id, delay_range> usual_latency_;
};

} // namespace drover
