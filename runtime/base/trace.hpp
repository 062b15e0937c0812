// The one typed trace: what happened, in events with named fields. Rule: log, metrics, checkers and
// golden files only read it; nothing flows back. Each event lists its fields once, in `fields`.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace drover {

/// One call of a node's store driver; reported by the agent, with the agent's host's clock.
struct store_operation {
  static constexpr const char* name = "store_operation";
  node_id node;
  std::string operation; ///< read_config, write_config, move, write_record, ...
  vm_id vm;              ///< 0 where the call is not about one VM
  wall_time begin;
  wall_time end;
  bool ok = true;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("operation", s.operation), f("vm", s.vm), f("begin", s.begin);
    f("end", s.end), f("ok", s.ok);
  }
};

struct link_changed {
  static constexpr const char* name = "link_changed";
  node_id node;
  std::string state; ///< up, down, left: closed because drover wanted it
  std::string reason;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("state", s.state), f("reason", s.reason);
  }
};

/// What a node's agent listed: the VMs that the node owns.
struct node_listed {
  static constexpr const char* name = "node_listed";
  node_id node;
  std::uint32_t vms = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("vms", s.vms);
  }
};

struct evacuation_started {
  static constexpr const char* name = "evacuation_started";
  node_id node;
  std::uint32_t vms = 0;
  std::uint64_t bytes = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("vms", s.vms), f("bytes", s.bytes);
  }
};

struct evacuation_ended {
  static constexpr const char* name = "evacuation_ended";
  node_id node;
  std::string result; ///< all_moved, some_stayed, cancelled, infeasible: nothing was started
  std::uint32_t moved = 0;
  std::uint32_t stayed = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("result", s.result), f("moved", s.moved), f("stayed", s.stayed);
  }
};

/// A VM is to move: told of every VM of a job before the first one begins.
struct migration_planned {
  static constexpr const char* name = "migration_planned";
  vm_id vm;
  node_id source;
  node_id target;
  policy how = policy::ticket;
  std::uint64_t memory_bytes = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("source", s.source), f("target", s.target), f("how", s.how);
    f("memory_bytes", s.memory_bytes);
  }
};

/// A VM that the plan leaves where it is: told before anything moves.
struct vm_left_out {
  static constexpr const char* name = "vm_left_out";
  vm_id vm;
  node_id node;
  std::string kind;   ///< stopped, blocked, no_room, held_back
  std::string reason; ///< for people
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("node", s.node), f("kind", s.kind), f("reason", s.reason);
  }
};

struct phase_changed {
  static constexpr const char* name = "phase_changed";
  vm_id vm;
  epoch number;
  std::string from;
  std::string to;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("number", s.number), f("from", s.from), f("to", s.to);
  }
};

/// The set of permits was granted after `waited_s`.
struct permits_granted {
  static constexpr const char* name = "permits_granted";
  vm_id vm;
  std::string set; ///< prepare, stream
  double waited_s = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("set", s.set), f("waited_s", s.waited_s);
  }
};

/// T's own view showed the record after `waited_us`: the store's lag as the barrier saw it.
struct barrier_passed {
  static constexpr const char* name = "barrier_passed";
  vm_id vm;
  epoch number;
  node_id node;
  std::uint32_t waited_us = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("number", s.number), f("node", s.node), f("waited_us", s.waited_us);
  }
};

/// A stream with several channels was asked for, and `node` can do fewer.
struct stream_narrowed {
  static constexpr const char* name = "stream_narrowed";
  vm_id vm;
  epoch number;
  node_id node;
  std::uint32_t asked = 0;
  std::uint32_t channels = 1;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("number", s.number), f("node", s.node), f("asked", s.asked);
    f("channels", s.channels);
  }
};

struct stream_moved {
  static constexpr const char* name = "stream_moved";
  vm_id vm;
  epoch number;
  std::uint64_t transferred_bytes = 0;
  std::uint64_t remaining_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint32_t passes = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("number", s.number), f("transferred_bytes", s.transferred_bytes);
    f("remaining_bytes", s.remaining_bytes), f("total_bytes", s.total_bytes);
    f("passes", s.passes);
  }
};

/// A moment of the pause, on the clock of the node where it happened.
struct pause_mark {
  static constexpr const char* name = "pause_mark";
  vm_id vm;
  epoch number;
  node_id node;
  std::string mark; ///< source_stopped, target_loaded, source_completed, resumed, claimed
  wall_time at;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("number", s.number), f("node", s.node), f("mark", s.mark),
      f("marked_at", s.at);
  }
};

/// The resume reached a target whose own view did not show it as the owner yet.
struct race_met {
  static constexpr const char* name = "race_met";
  vm_id vm;
  epoch number;
  node_id node;
  policy how = policy::check;
  std::string end; ///< refused: the VM hangs paused; unchecked: it was let run all the same
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("number", s.number), f("node", s.node), f("how", s.how), f("end", s.end);
  }
};

/// How one migration ended, with its figures.
struct migration_ended {
  static constexpr const char* name = "migration_ended";
  vm_id vm;
  epoch number;
  node_id source;
  node_id target;
  std::string result; ///< moved, stayed, needs_operator
  std::string reason; ///< empty when moved
  policy how = policy::ticket;
  std::optional<double> pause_s;
  std::optional<double> blackout_s;
  std::optional<double> handover_s;
  double total_s = 0;
  std::uint64_t bytes = 0;
  std::optional<double> pause_error_s{};      ///< at most; between two hosts
  std::optional<std::string> pause_unknown{}; ///< why there is no pause although the VM moved
  std::optional<double> budget_s{}; ///< the VM's downtime budget; absent before it was read
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm), f("number", s.number), f("source", s.source), f("target", s.target);
    f("result", s.result), f("reason", s.reason), f("how", s.how), f("pause_s", s.pause_s);
    f("blackout_s", s.blackout_s), f("handover_s", s.handover_s), f("total_s", s.total_s);
    f("bytes", s.bytes), f("pause_error_s", s.pause_error_s);
    f("pause_unknown", s.pause_unknown), f("budget_s", s.budget_s);
  }
};

/// A request to a node's agent has got its one answer: the agent's, or the reason why none came.
struct node_answered {
  static constexpr const char* name = "node_answered";
  node_id node;
  std::string method;
  std::string outcome; ///< ok, or the error's code
  std::uint64_t took_us = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("method", s.method), f("outcome", s.outcome), f("took_us", s.took_us);
  }
};

/// How much of one kind of permit is held now; looked at once a second.
struct permits_counted {
  static constexpr const char* name = "permits_counted";
  std::string scope; ///< cluster, outbound, inbound, stream, window
  node_id node;      ///< empty for what the whole cluster shares
  std::uint32_t used = 0;
  std::uint32_t limit = 0;
  std::uint32_t waiting = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("scope", s.scope), f("node", s.node), f("used", s.used), f("limit", s.limit);
    f("waiting", s.waiting);
  }
};

/// How busy the actors are: how late a timer came, and how long a question stood in a mailbox.
struct actors_sampled {
  static constexpr const char* name = "actors_sampled";
  std::string actor; ///< who was asked
  std::uint64_t timer_late_us = 0;
  std::uint64_t mailbox_us = 0;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("actor", s.actor), f("timer_late_us", s.timer_late_us), f("mailbox_us", s.mailbox_us);
  }
};

/// A request was sent again, or a step was repeated.
struct retried {
  static constexpr const char* name = "retried";
  node_id node;
  std::string method;
  std::string reason;  ///< for people
  std::string cause{}; ///< link_lost, step_failed
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("method", s.method), f("reason", s.reason), f("cause", s.cause);
  }
};

/// A scenario did something: a fault, an action.
struct scenario_acted {
  static constexpr const char* name = "scenario_acted";
  std::string action;
  std::string detail;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("action", s.action), f("detail", s.detail);
  }
};

/// A line of the agent protocol on its way; only the simulated link tells.
struct message_carried {
  static constexpr const char* name = "message_carried";
  node_id node;
  std::string what; ///< asked, answered, refused, noticed: the node's view of it
  std::string method;
  vm_id vm; ///< 0 where the message is not about one VM
  std::string text;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("what", s.what), f("method", s.method), f("vm", s.vm);
    f("text", s.text);
  }
};

/// A QEMU changed its state; only the simulated hypervisor tells.
struct machine_changed {
  static constexpr const char* name = "machine_changed";
  node_id node;
  vm_id vm;
  std::string state; ///< started, stopped, loaded, completed, failed, cancelled, running, gone
  epoch number;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("vm", s.vm), f("state", s.state), f("number", s.number);
  }
};

/// From now on the view of `node` shows the VM's config at `owner`; only a store that knows all
/// views tells.
struct view_changed {
  static constexpr const char* name = "view_changed";
  node_id node;
  vm_id vm;
  node_id owner;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("node", s.node), f("vm", s.vm), f("owner", s.owner);
  }
};

/// Something for the reader of the log that no other event carries.
struct remark {
  static constexpr const char* name = "remark";
  std::string text;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("text", s.text);
  }
};

struct trace_event {
  wall_time at;
  std::variant<
    store_operation, link_changed, evacuation_started, evacuation_ended, phase_changed,
    permits_granted, barrier_passed, stream_moved, pause_mark, migration_ended, retried,
    scenario_acted, remark, node_listed, message_carried, machine_changed, view_changed, race_met,
    stream_narrowed, migration_planned, node_answered, permits_counted, actors_sampled, vm_left_out>
    body;
};

/// Takes events from any thread; must not block and must not fail.
class trace_sink {
public:
  virtual ~trace_sink() = default;
  virtual void take(const trace_event& event) = 0;
};

/// Hands every event to each of its sinks, in order of registration.
class trace_fan final : public trace_sink {
public:
  /// Only before the first event.
  void add(std::shared_ptr<trace_sink> sink) { sinks_.push_back(std::move(sink)); }
  void take(const trace_event& event) override {
    for (const auto& sink : sinks_)
      sink->take(event);
  }

private:
  std::vector<std::shared_ptr<trace_sink>> sinks_;
};

} // namespace drover
