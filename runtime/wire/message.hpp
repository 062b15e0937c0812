// The agent protocol: what a controller asks of a node, and what the node answers and reports.
// Rule: every request is idempotent under its id and carries a deadline; nothing here does I/O.
//
// One migration, S = source's agent, T = target's agent (the ladder with its reasons is in
// actors/handover/README.md):
//
//   S begin_handover   record `moving e` and `lock: migrate` are in the store; the ticket
//   T receive          QEMU waits for the stream; T's own view shows record e (the barrier)
//   S move_config      under the policy early: here, and T await_claim until T's view shows it
//   S stream           the agents' connection stands, QEMU sends
//   S await_outcome    S's QEMU has its final state        } both must say `completed`
//   T await_outcome    T's QEMU has loaded everything      }
//   S move_config      under the policies check, nocheck and lock
//   T take_over        guard, run mark, cont
//   T await_claim      T's config is in T's directory
//   S release_source   S's QEMU quits
//   T settle           record `settled`, `lock:` gone
//
// Back-out: S cancel_stream, T void_handover, S continue_source, S settle.
//
// Every struct lists its fields once, in `fields`; codec.cpp derives the JSON from it.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/stream_kind.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/base/time.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/wire/machine_facts.hpp"
#include "runtime/wire/vm_views.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace drover::wire {

/// The major version must agree. Within it, a field that came later is optional, and what came
/// later is asked only of those that have told its feature.
inline constexpr int protocol_version = 1;
/// For people: counts what was added since the major version began.
inline constexpr std::uint32_t protocol_minor = 3;

// -- answers -------------------------------------------------------------------------------------

struct hello_reply {
  int protocol = 0;
  node_id node;
  std::string boot_id; ///< of the host: another one means that the host has rebooted since
  std::string version; ///< of drover-agent
  std::string hypervisor;
  std::vector<std::string> features;
  std::uint32_t agent_pid = 0;
  std::uint64_t memory_bytes = 0; ///< of the host
  std::uint32_t cores = 0;
  mono_time monotonic;
  wall_time wall;
  std::optional<std::uint32_t> minor{}; ///< since 1.1
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("protocol", s.protocol), f("node", s.node), f("boot_id", s.boot_id), f("version", s.version);
    f("hypervisor", s.hypervisor), f("features", s.features), f("agent_pid", s.agent_pid);
    f("memory_bytes", s.memory_bytes), f("cores", s.cores), f("monotonic", s.monotonic);
    f("wall", s.wall), f("minor", s.minor);
  }
};

struct clocks {
  mono_time monotonic;
  wall_time wall;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("monotonic", s.monotonic), f("wall", s.wall);
  }
};

struct begun {
  ticket evidence;
  std::string config; ///< the config as the running QEMU was started with
  machine_facts facts;
  bool was_paused = false;
  /// Budget of the pause and bandwidth from the config (`migrate_downtime`, `migrate_speed`);
  /// 0 = not set there.
  std::uint32_t downtime_limit_ms = 0;
  std::uint64_t bandwidth_bytes_per_s = 0;
  /// How many channels its stream may have; absent = it can do one stream only; since 1.2.
  std::optional<std::uint32_t> channels_max{};
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("evidence", s.evidence), f("config", s.config), f("facts", s.facts);
    f("was_paused", s.was_paused), f("downtime_limit_ms", s.downtime_limit_ms);
    f("bandwidth_bytes_per_s", s.bandwidth_bytes_per_s), f("channels_max", s.channels_max);
  }
};

/// Where the target's agent waits for the stream, the one-time token that must come first, and the
/// key of an encrypted stream. Token and key are secrets: no trace, log or error ever shows them.
struct stream_offer {
  std::string host;
  std::uint16_t port = 0;
  std::string token;
  std::uint32_t barrier_wait_us = 0; ///< how long T's view took to show the record
  std::string boot_id;               ///< of T's host: only from this boot a proof of void counts
  std::optional<std::string> key{};  ///< hexadecimal; absent = a plain stream; since 1.1
  /// So many connections beside the main one, for which the token is good, too; absent = none;
  /// since 1.2.
  std::optional<std::uint32_t> channels{};
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("host", s.host), f("port", s.port), f("token", s.token);
    f("barrier_wait_us", s.barrier_wait_us), f("boot_id", s.boot_id), f("key", s.key);
    f("channels", s.channels);
  }
};

enum class stream_end : std::uint8_t {
  /// S: postmigrate, will not move by itself. T: everything is loaded, paused.
  completed,
  /// S: runs on by itself. T: its QEMU is gone or must be killed.
  failed,
  /// S: cancelled before the switchover and runs on by itself.
  cancelled,
};

std::string_view to_string(stream_end e);
std::optional<stream_end> stream_end_from_string(std::string_view text);

struct outcome {
  stream_end end = stream_end::failed;
  std::string reason; ///< for people; empty when completed
  /// S only: when the vCPUs stopped; absent when the agent was away or the VM was paused before.
  std::optional<wall_time> stopped;
  std::optional<wall_time> ended;
  std::uint64_t transferred_bytes = 0;
  /// Wall clock less monotonic clock at that moment; absent: the agent was away. Since 1.1.
  std::optional<nanoseconds> clock_shift{};
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("end", s.end), f("reason", s.reason), f("stopped", s.stopped), f("ended", s.ended);
    f("transferred_bytes", s.transferred_bytes), f("clock_shift_ns", s.clock_shift);
  }
};

struct taken_over {
  run_state state = run_state::running; ///< paused, if it was
  std::optional<wall_time> resumed;
  /// Policy `nocheck`: the own view did not show this node as owner when the resume came.
  bool raced = false;
  std::optional<nanoseconds> clock_shift{}; ///< as in `outcome`; since 1.1
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("state", s.state), f("resumed", s.resumed), f("raced", s.raced);
    f("clock_shift_ns", s.clock_shift);
  }
};

struct claimed {
  wall_time at;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("at", s.at);
  }
};

/// The target's proof that epoch e never ran there and never will.
struct voided {
  epoch number;
  std::string boot_id;
  epoch run_mark;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("number", s.number), f("boot_id", s.boot_id), f("run_mark", s.run_mark);
  }
};

struct accepted {
  template <class Self, class F>
  static void fields(Self&, F&&) {}
};

using reply_body = std::variant<
  accepted, hello_reply, vm_list, vm_status, begun, stream_offer, outcome, taken_over, claimed,
  voided, clocks, handover_parts>;

// -- requests: `answer` is the reply's type, `method` its name on the wire -----------------------

struct hello {
  using answer = hello_reply;
  static constexpr const char* method = "hello";
  int protocol = protocol_version;
  std::string controller;               ///< who asks, for people: "host:pid"
  std::optional<std::uint32_t> minor{}; ///< since 1.1
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("protocol", s.protocol), f("controller", s.controller), f("minor", s.minor);
  }
};

struct ping {
  using answer = accepted;
  static constexpr const char* method = "ping";
  template <class Self, class F>
  static void fields(Self&, F&&) {}
};

struct read_clocks {
  using answer = clocks;
  static constexpr const char* method = "read_clocks";
  template <class Self, class F>
  static void fields(Self&, F&&) {}
};

struct list_vms {
  using answer = vm_list;
  static constexpr const char* method = "list_vms";
  template <class Self, class F>
  static void fields(Self&, F&&) {}
};

struct start_vm {
  using answer = vm_status;
  static constexpr const char* method = "start_vm";
  vm_id vm;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm);
  }
};

struct stop_vm {
  using answer = vm_status;
  static constexpr const char* method = "stop_vm";
  vm_id vm;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm);
  }
};

/// The node takes no VM until uncordon, or until the agent is gone and the lease has run out.
struct cordon {
  using answer = accepted;
  static constexpr const char* method = "cordon";
  std::string reason;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("reason", s.reason);
  }
};

struct uncordon {
  using answer = accepted;
  static constexpr const char* method = "uncordon";
  template <class Self, class F>
  static void fields(Self&, F&&) {}
};

struct begin_handover {
  using answer = begun;
  static constexpr const char* method = "begin_handover";
  vm_id vm;
  node_id target;
  policy how = policy::ticket;
  std::string controller;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("target", s.target), f("how", s.how), f("controller", s.controller);
  }
};

struct receive {
  using answer = stream_offer;
  static constexpr const char* method = "receive";
  ticket evidence;
  std::string config;
  machine_facts facts;
  bool was_paused = false;
  std::optional<stream_kind> kind = stream_kind::tls; ///< absent = plain; since 1.1
  /// At most so many beside the main connection; the offer tells how many. Absent = none;
  /// since 1.2.
  std::optional<std::uint32_t> channels{};
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("evidence", s.evidence), f("config", s.config), f("facts", s.facts);
    f("was_paused", s.was_paused), f("kind", s.kind), f("channels", s.channels);
  }
};

struct stream {
  using answer = accepted;
  static constexpr const char* method = "stream";
  ticket evidence;
  std::string host;
  std::uint16_t port = 0;
  std::string token;
  std::uint64_t bandwidth_bytes_per_s = 0; ///< 0 = unlimited
  std::uint32_t downtime_limit_ms = 0;
  std::string target_boot_id;              ///< as the target has offered it
  std::optional<std::string> key{};        ///< as the target has offered it; since 1.1
  std::optional<std::uint32_t> channels{}; ///< as the target has offered them; since 1.2
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("evidence", s.evidence), f("host", s.host), f("port", s.port), f("token", s.token);
    f("bandwidth_bytes_per_s", s.bandwidth_bytes_per_s);
    f("downtime_limit_ms", s.downtime_limit_ms), f("target_boot_id", s.target_boot_id);
    f("key", s.key), f("channels", s.channels);
  }
};

/// Raises the downtime limit of a running stream; never past the VM's budget.
struct set_downtime_limit {
  using answer = accepted;
  static constexpr const char* method = "set_downtime_limit";
  ticket evidence;
  std::uint32_t downtime_limit_ms = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("evidence", s.evidence), f("downtime_limit_ms", s.downtime_limit_ms);
  }
};

/// A request that carries nothing but its evidence.
template <class Answer>
struct by_ticket {
  using answer = Answer;
  ticket evidence;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("evidence", s.evidence);
  }
};

/// Answered when this node's QEMU has its final state: S at postmigrate, T with all state loaded.
struct await_outcome : by_ticket<outcome> {
  static constexpr const char* method = "await_outcome";
};
/// S: only before the switchover; refused afterwards.
struct cancel_stream : by_ticket<accepted> {
  static constexpr const char* method = "cancel_stream";
};
/// S, policies check, nocheck, lock and early: moves the config into T's directory.
struct move_config : by_ticket<accepted> {
  static constexpr const char* method = "move_config";
};
struct take_over : by_ticket<taken_over> {
  static constexpr const char* method = "take_over";
};
struct await_claim : by_ticket<claimed> {
  static constexpr const char* method = "await_claim";
};
struct release_source : by_ticket<accepted> {
  static constexpr const char* method = "release_source";
};
/// Where the VM runs: brings the config here if it is at the other side, writes the record
/// `settled` under this epoch and removes `lock: migrate`.
struct settle : by_ticket<accepted> {
  static constexpr const char* method = "settle";
};
/// T: kills the receiving QEMU and marks the epoch as void; refused ("too late") once it ran.
struct void_handover : by_ticket<voided> {
  static constexpr const char* method = "void_handover";
};

/// S: continues a QEMU in postmigrate, on the target's proof only.
struct continue_source {
  using answer = accepted;
  static constexpr const char* method = "continue_source";
  ticket evidence;
  voided proof;
  /// In the proof's place: who says that the target never ran it and never will; since 1.3.
  std::optional<std::string> assurance{};
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("evidence", s.evidence), f("proof", s.proof), f("assurance", s.assurance);
  }
};

// -- recovery, since 1.3: what no handover in progress needs; the way is actors/recovery/README.md

/// Answered when what older controllers have left here is known, and behind a barrier.
struct inspect_handovers {
  using answer = handover_parts;
  static constexpr const char* method = "inspect_handovers";
  template <class Self, class F>
  static void fields(Self&, F&&) {}
};
/// Ends a copy that waits: S in postmigrate, T incoming and never let run. It may be the last one:
/// who asks has decided that its memory is old, or that the other one goes on.
struct discard_copy : by_ticket<accepted> {
  static constexpr const char* method = "discard_copy";
};
/// The owner, without a QEMU of it: record `settled`, `lock: migrate` gone; the VM is stopped.
struct close_handover : by_ticket<accepted> {
  static constexpr const char* method = "close_handover";
};
/// The marks of a VM that no node has any more.
struct forget_vm {
  using answer = accepted;
  static constexpr const char* method = "forget_vm";
  vm_id vm;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm);
  }
};

using request_body = std::variant<
  hello, ping, list_vms, start_vm, stop_vm, cordon, uncordon, begin_handover, receive, stream,
  set_downtime_limit, await_outcome, cancel_stream, move_config, take_over, await_claim,
  release_source, settle, void_handover, continue_source, read_clocks, inspect_handovers,
  discard_copy, close_handover, forget_vm>;

struct request {
  request_id id;
  /// How long the asker waits; the agent gives up its own waiting then.
  milliseconds deadline{0};
  request_body body;
};

struct reply {
  request_id id;
  result<reply_body> body;
};

// -- notices: what the node reports unasked; may be lost with the link ---------------------------

/// How far a stream is; sent at every pass over memory and twice a second.
struct stream_progress {
  static constexpr const char* method = "stream_progress";
  vm_id vm;
  epoch number;
  std::uint64_t transferred_bytes = 0;
  std::uint64_t remaining_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint32_t passes = 0;
  std::uint32_t expected_downtime_ms = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("number", s.number), f("transferred_bytes", s.transferred_bytes);
    f("remaining_bytes", s.remaining_bytes), f("total_bytes", s.total_bytes);
    f("passes", s.passes), f("expected_downtime_ms", s.expected_downtime_ms);
  }
};

/// Trace events of the node, in batches, sent when the node has nothing better to do.
struct node_trace {
  static constexpr const char* method = "node_trace";
  std::vector<store_operation> operations;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("operations", s.operations);
  }
};

using notice = std::variant<stream_progress, node_trace>;

/// Anything that an agent sends.
using from_agent = std::variant<reply, notice>;

} // namespace drover::wire
