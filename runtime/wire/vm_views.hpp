// What a node tells of the VMs that it has to do with: for people and plans (`vm_list`), and for
// whoever recovers what a dead controller left (`handover_parts`). Rule: plain values, as this node
// sees them at one moment.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/wire/machine_facts.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drover::wire {

/// One VM as this node sees it: its config is in this node's directory, or its QEMU runs here.
struct vm_entry {
  vm_id vm;
  std::string name;
  bool config_here = false;
  run_state state = run_state::absent;
  std::uint64_t memory_bytes = 0; ///< RAM of the guest
  std::string lock;               ///< value of `lock:`, empty = none
  std::vector<std::string> tags;
  bool onboot = false;
  /// Why a live migration of this VM is refused, each a sentence; empty = it can move.
  std::vector<std::string> blockers;
  epoch record_epoch;
  record_state record = record_state::settled;
  node_id record_source;
  node_id record_target;
  epoch run_mark; ///< highest epoch under which this node let the VM run
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("name", s.name), f("config_here", s.config_here), f("state", s.state);
    f("memory_bytes", s.memory_bytes), f("lock", s.lock), f("tags", s.tags), f("onboot", s.onboot);
    f("blockers", s.blockers), f("record_epoch", s.record_epoch), f("record", s.record);
    f("record_source", s.record_source), f("record_target", s.record_target);
    f("run_mark", s.run_mark);
  }
};

struct vm_list {
  std::vector<vm_entry> vms; ///< by vmid
  /// Who holds this node's cordon, empty = not cordoned.
  std::string cordon;
  std::optional<std::string> encryption_objection{}; ///< absent: its QEMU can; since 1.1
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vms", s.vms), f("cordon", s.cordon), f("encryption_objection", s.encryption_objection);
  }
};

struct vm_status {
  vm_id vm;
  run_state state = run_state::absent;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("state", s.state);
  }
};

/// The handover record as this node's view shows it.
struct record_view {
  epoch number;
  record_state state = record_state::settled;
  node_id source;
  node_id target;
  policy how = policy::ticket;
  std::string controller;
  source_outcome outcome = source_outcome::unpublished;
  std::string target_boot_id; ///< with `voided`
  bool operator==(const record_view&) const = default;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("number", s.number), f("state", s.state), f("source", s.source), f("target", s.target);
    f("how", s.how), f("controller", s.controller), f("outcome", s.outcome);
    f("target_boot_id", s.target_boot_id);
  }
};

/// One node's part in a VM's last handover.
struct handover_part {
  vm_id vm;
  std::string name;
  std::optional<node_id> owner; ///< by this node's view; absent = no directory holds its config
  std::string lock;             ///< where the config is here
  bool onboot = false;          ///< the same
  std::optional<record_view> record;
  /// For the record's epoch, where this node is one of its two.
  std::optional<ticket> evidence;
  run_state state = run_state::absent; ///< own QEMU
  epoch number;                        ///< the epoch of its QEMU
  bool streams = false;                ///< its stream under that epoch is not over
  bool loaded = false;                 ///< it waits and has loaded everything
  // Marks.
  epoch run;
  epoch voided;
  epoch seen;
  epoch barrier;
  /// The controller whose handover of it is being brought to an end here.
  std::optional<std::string> finishing;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("name", s.name), f("owner", s.owner), f("lock", s.lock);
    f("onboot", s.onboot), f("record", s.record), f("evidence", s.evidence), f("state", s.state);
    f("number", s.number), f("streams", s.streams), f("loaded", s.loaded), f("run", s.run);
    f("voided", s.voided), f("seen", s.seen), f("barrier", s.barrier);
    f("finishing", s.finishing);
  }
};

/// Of every VM whose config or QEMU is here, that has marks here, or that is under way from or to
/// here.
struct handover_parts {
  std::vector<handover_part> parts; ///< by vmid
  /// Keys and sockets of streams whose QEMU is gone; an agent that may write has removed them.
  std::vector<std::string> litter;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("parts", s.parts), f("litter", s.litter);
  }
};

} // namespace drover::wire
