// One node of a simulated world: its agents, its seat, its marks. Rule: what an agent forgets when
// it dies is in `sim_agent`, what a host forgets when it dies is here, and neither decides anything
// that the production desk, agent and guard decide.
#pragma once

#include "runtime/agent/agent_desk.hpp"
#include "runtime/base/event_queue.hpp"
#include "runtime/base/host_clocks.hpp"
#include "runtime/hypervisor/sim_hypervisor.hpp"
#include "runtime/link/sim_link.hpp"
#include "runtime/store/sim_store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace drover {

struct sim_host_parts {
  event_queue& queue;
  const host_clocks& clocks;
  sim_store_cluster& store;
  sim_machines& machines;
  /// Of the streams that leave the host, as its agent is told; 0 = unlimited.
  std::uint64_t bandwidth_bytes_per_s = 0;
};

class sim_host {
public:
  sim_host(node_id node, std::uint64_t memory_bytes, sim_host_parts parts);
  ~sim_host();
  sim_host(const sim_host&) = delete;
  sim_host& operator=(const sim_host&) = delete;

  /// Starts an agent that talks through `output`; null while the host is down.
  std::shared_ptr<sim_peer> start_agent(sim_peer_output output);

  /// SIGKILL to every agent; its connection is closed.
  void kill_agents();
  /// The host is gone with everything on it; nobody is told.
  void die();
  /// Comes up again, empty.
  void boot();
  bool is_up() const { return up_; }
  /// The next `count` marks cannot be written: the node's own disk is full.
  void fail_marks(std::uint32_t count) { marks_failing_ += count; }

  const std::map<vm_id, run_marks>& marks() const { return marks_; }

private:
  class seat;
  class mark_shelf;
  class agent_program;

  void forget(std::uint64_t agent);

  node_id node_;
  std::uint64_t memory_bytes_;
  sim_host_parts parts_;
  bool up_ = true;
  std::uint32_t boots_ = 1;
  std::map<vm_id, run_marks> marks_;
  std::uint32_t marks_failing_ = 0;
  std::uint64_t agents_started_ = 0;
  std::uint64_t seated_ = 0;              ///< the agent that has the seat; 0 = free
  std::map<std::uint64_t, bool> waiting_; ///< agents in line
  std::string controller_;                ///< of the agent that has the seat
  std::map<std::uint64_t, std::shared_ptr<agent_program>> agents_;
};

} // namespace drover
