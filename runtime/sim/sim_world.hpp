// A whole cluster in virtual time: one seed, one clock, one thread. Rule: everything above the
// simulated wire, store and hypervisor is production code; the world only decides what happens
// next, and its luck decides among what could.
//
//   controller (CAF actors)  --sim_link-->  sim_host: desk, agent, guard  --> sim_store,
//   sim_machines
#pragma once

#include "runtime/base/event_queue.hpp"
#include "runtime/base/luck.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/hypervisor/sim_hypervisor.hpp"
#include "runtime/link/sim_link.hpp"
#include "runtime/sim/operator_actor.hpp"
#include "runtime/sim/sim_host.hpp"
#include "runtime/store/sim_store.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace drover {

/// Whether lines and views are put into the trace: dear, and for people and for actions that wait
/// for them.
enum class sim_detail : std::uint8_t { decisions, everything };

struct sim_world_settings {
  std::uint64_t seed = 1;
  cluster_file cluster;
  sim_store_settings store;
  sim_machine_settings machines;
  std::map<node_id, delay_range> store_lag;    ///< where it differs from `store.lag`
  std::map<node_id, delay_range> link_latency; ///< where it differs from the driver's own
  std::map<node_id, host_clock> clocks;        ///< where they differ from the world's
  std::map<node_id, milliseconds> news_late;   ///< where QEMU's news are not heard at once
  sim_detail detail = sim_detail::decisions;
};

class sim_world {
public:
  sim_world(sim_world_settings settings, std::shared_ptr<trace_sink> trace);
  ~sim_world();
  sim_world(const sim_world&) = delete;
  sim_world& operator=(const sim_world&) = delete;

  event_queue& queue() { return queue_; }
  host_clocks& clocks() { return clocks_; }
  sim_store_cluster& store() { return *store_; }
  const sim_store_cluster& store() const { return *store_; }
  sim_machines& machines() { return *machines_; }
  const sim_machines& machines() const { return *machines_; }
  sim_wires& wires() { return *wires_; }
  sim_host& host(const node_id& node) { return *hosts_.at(node); }
  const std::map<node_id, std::unique_ptr<sim_host>>& hosts() const { return hosts_; }
  const cluster_file& cluster() const { return settings_.cluster; }
  /// The node's lag where no fault changes it.
  delay_range usual_lag(const node_id& node) const;
  trace_sink& trace() { return *trace_; }
  void note(decltype(trace_event::body) body);

  /// Told of every change of a QEMU; set before anything happens.
  std::function<void(const machine_changed&)> on_machine_change;

  /// The controller's actors; made anew by `start_controller`.
  void start_controller();
  /// SIGKILL: its actors are gone, its links close.
  void kill_controller();
  bool has_controller() const { return controller_ != nullptr; }
  /// Sends an order to the present controller; dropped when there is none.
  template <class Order>
  void tell(Order order) {
    if (const auto who = chief())
      caf::anon_send(*who, std::move(order));
  }

  // Faults that concern more than one part.
  void kill_node(const node_id& node);
  void boot_node(const node_id& node);

  /// One thing happens: an actor handles a message, a timer fires, or the world moves. False when
  /// nothing is left that ever could.
  bool step();
  /// Of all steps so far.
  std::uint64_t steps() const { return steps_; }

private:
  struct controller;

  std::optional<operator_handle> chief() const;
  tree_settings tree_of(const std::string& name);
  void watch_everything();
  void note_line(const node_id& node, bool to_node, const std::string& line);

  sim_world_settings settings_;
  std::shared_ptr<trace_sink> trace_;
  event_queue queue_;
  host_clocks clocks_{queue_};
  luck order_;
  std::unique_ptr<sim_store_cluster> store_;
  std::unique_ptr<sim_machines> machines_;
  std::unique_ptr<sim_wires> wires_;
  std::map<node_id, std::unique_ptr<sim_host>> hosts_;
  std::uint32_t controllers_started_ = 0;
  std::unique_ptr<controller> controller_;
  std::uint64_t steps_ = 0;
  std::map<std::string, std::string> methods_; ///< of requests on their way, for the trace
};

} // namespace drover
