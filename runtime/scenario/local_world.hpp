// A throw-away cluster on this machine: real agents, real QEMUs, a real directory as the store, all
// in one directory. Rule: whatever happens, `close` leaves no process and no file behind.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/guest/beacon_watcher.hpp"
#include "runtime/hypervisor/run_files.hpp"
#include "runtime/program/fleet.hpp"
#include "runtime/scenario/scenario_file.hpp"
#include "runtime/scenario/ssh_hosts.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace drover {

class local_world {
public:
  /// `keep`: where logs, configs and records are copied to at the end; empty = nowhere.
  static result<std::unique_ptr<local_world>> open(
    const scenario_file& scenario, std::filesystem::path keep, std::shared_ptr<trace_sink> trace,
    pulse_choice pulse);
  ~local_world();
  local_world(const local_world&) = delete;
  local_world& operator=(const local_world&) = delete;

  /// Starts every VM and waits until each has beaten; `stop` is asked between two steps.
  result<done> start(const std::function<bool()>& stop);

  /// Precondition: `leave` was not called since the last `join`.
  fleet& nodes() { return *nodes_; }
  /// Makes room for controllers that are processes of their own.
  void leave() { nodes_.reset(); }
  result<done> join();
  /// For commands on this cluster that are processes of their own.
  std::vector<std::string> command(std::vector<std::string> words) const;
  std::filesystem::path log(const std::string& name) const { return room_ / "logs" / name; }
  const cluster_file& cluster() const { return cluster_; }
  beacon_watcher& beacons() { return *beacons_; }

  /// Waits until each of them has beaten so many times more than now.
  result<done> wait_for_beats(
    const std::set<vm_id>& vms, std::uint64_t beats, milliseconds patience);

  /// SIGKILL to the QEMU that receives this VM; `refused` where none does.
  result<done> kill_target_qemu(vm_id vm);
  /// SIGKILL to the QEMU from which this VM leaves; `refused` where none does.
  result<done> kill_source_qemu(vm_id vm);
  result<done> kill_agent(const node_id& node);
  /// Strangers at every door that the node's agent opens within `span`, which is waited for.
  result<done> send_strangers(const node_id& node, milliseconds span);
  /// Null where the links are processes.
  ssh_hosts* hosts() { return hosts_.get(); }

  /// The store's files and the QEMUs' pids; two of them compared tell what was touched.
  std::map<std::string, std::string> snapshot() const;

  /// Ends every process and removes the directory; what could not be removed.
  std::vector<std::string> close();

private:
  local_world(const scenario_file& scenario, std::filesystem::path keep);

  /// SIGKILL to the VM's QEMU with this part in the newest stream.
  result<done> kill_qemu(vm_id vm, stream_role role);
  result<done> open_hosts();
  result<done> write_cluster_file() const;
  result<done> create_vms();
  result<done> start_vms(const std::function<bool()>& stop);
  result<done> pause_vms();
  void keep_files() const;

  const scenario_file& scenario_;
  std::filesystem::path keep_;
  std::filesystem::path room_;
  cluster_file cluster_;
  std::unique_ptr<beacon_watcher> beacons_;
  std::unique_ptr<ssh_hosts> hosts_; ///< null where the links are processes
  std::unique_ptr<fleet> nodes_;     ///< null between `leave` and `join`
  std::shared_ptr<trace_sink> trace_;
  pulse_choice pulse_ = pulse_choice::none;
};

} // namespace drover
