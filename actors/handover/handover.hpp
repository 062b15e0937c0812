// One VM's journey as a pure machine: events in, commands out. Rule: it never acts, reads no clock,
// and decides every (phase, event), if only as "late". The ladder of messages, the table of phases
// and the reasons are in actors/handover/README.md.
//
//   waiting -> beginning -> receiving -> queued -> streaming -> moving_config* -> taking_over
//                 |            |           |          |               |              |
//                 |            +-----------+----------+--> voiding <--+--------------+
//                 |                                           |             claiming -> cleaning
//                 +----------------------------------------> reverting                     |
//                                                             |                            |
//                                                           ended <------------------------+
//   * under check, nocheck and lock; under early it stands between receiving and queued
#pragma once

#include "actors/handover/convergence.hpp"
#include "actors/handover/pause_span.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/stream_kind.hpp"
#include "runtime/base/time.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/wire/message.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace drover {

/// Where a migration stands. Changed in `handover::transition_to` only.
enum class phase : std::uint8_t {
  /// For the VM's lock and the permits to prepare, then for the journal; nothing was touched yet.
  waiting,
  /// S writes record e and `lock: migrate`.
  beginning,
  /// T starts the receiving QEMU and waits until its own view shows record e.
  receiving,
  /// For the permits to stream; S still runs as if nothing were.
  queued,
  /// S's memory flows; ends when both QEMUs have their final state.
  streaming,
  /// S moves the config (check, nocheck, lock); under early, before the stream, T then has to see
  /// it, and a cancel still counts.
  moving_config,
  /// T was told to resume; S is not continued any more without T's proof.
  taking_over,
  /// T runs; its claim of the config is outstanding.
  claiming,
  /// S's QEMU quits, the record becomes settled; each step on its own.
  cleaning,
  /// Back-out: T kills its QEMU and marks the epoch as void.
  voiding,
  /// Back-out: S runs (continued if needed), its lock goes, the record becomes settled.
  reverting,
  ended,
};

std::string_view to_string(phase p);

/// How a migration ended.
enum class verdict : std::uint8_t {
  moved,
  /// Runs on at the source as if nothing had been.
  stayed,
  /// Where the VM runs, or who owns it, is not what drover promises; the reason says what is known.
  needs_operator,
};

std::string_view to_string(verdict v);

struct migration_figures {
  std::optional<double> pause_s;
  double pause_error_s = 0;  ///< at most; only between two hosts, whose clocks differ
  std::string pause_unknown; ///< why there is no pause although the VM moved; may be empty
  std::optional<double> blackout_s;
  std::optional<double> handover_s;
  std::uint64_t bytes = 0;
};

struct migration_result {
  vm_id vm;
  node_id source;
  node_id target;
  epoch number;
  policy how = policy::ticket;
  verdict end = verdict::stayed;
  std::string reason; ///< empty when moved
  migration_figures figures;
  double total_s = 0;
};

/// What the migration is asked to do; fixed for its life.
struct migration_order {
  vm_id vm;
  node_id source;
  node_id target;
  policy how = policy::ticket;
  std::string controller; ///< for the record, for people
  std::uint64_t memory_bytes = 0;
  std::uint32_t attempts_max = 3;
  stream_kind kind = stream_kind::tls;
  std::uint32_t channels = 1; ///< at most; fewer where a node's QEMU cannot do so many
};

/// The two sets of permits, each taken all or nothing.
enum class permit_set : std::uint8_t {
  /// The VM's lock, one of the cluster's, S's outbound and T's inbound permits.
  prepare,
  /// One stream at S's and at T's uplink, one handover window.
  stream,
};

std::string_view to_string(permit_set s);

enum class side : std::uint8_t { source, target };

/// One question to one agent; at most one of each is outstanding.
enum class step : std::uint8_t {
  begin,
  receive,
  stream,
  source_outcome,
  target_outcome,
  cancel,
  limit,
  move,
  /// Early: T's view shows the move.
  see,
  take_over,
  claim,
  release,
  settle_target,
  void_target,
  continue_source,
  settle_source,
};

/// The phase in which the answer to a step is waited for; in any other it is late.
phase phase_of(step what);

class handover {
public:
  // -- events ------------------------------------------------------------------------------------
  struct begin {};
  struct permits_granted {
    permit_set set;
    double waited_s = 0;
  };
  /// The answer to `send`; `lost` and `timeout` say that the effect is unknown.
  struct answered {
    step what;
    result<wire::reply_body> body;
    std::uint32_t attempt = 0;             ///< of the `send` that it answers
    std::optional<clock_estimate> clock{}; ///< of the node that answered
    std::uint32_t link = 0;                ///< counts the node's links
  };
  struct progressed {
    wire::stream_progress figures;
  };
  struct cancel_asked {
    std::string reason;
  };
  /// A timer that `wait` armed; older generations are late.
  struct timer_fired {
    std::uint32_t generation;
  };
  /// The answer to `write_ahead`; a second one is late.
  struct written_ahead {};
  using event = std::variant<
    begin, permits_granted, answered, progressed, cancel_asked, timer_fired, written_ahead>;

  // -- commands ----------------------------------------------------------------------------------
  struct take_permits {
    permit_set set;
  };
  struct give_back {
    permit_set set;
  };
  struct send {
    side to;
    step what;
    wire::request_body body;
    milliseconds deadline;
    std::uint32_t attempt = 0;
  };
  struct wait {
    std::uint32_t generation;
    milliseconds delay;
  };
  /// The journal has to know that this migration begins; nothing was touched yet. Asked for once,
  /// long before the pause.
  struct write_ahead {};
  /// For the trace.
  struct note {
    decltype(trace_event::body) body;
  };
  /// The last command of a migration.
  struct finish {
    migration_result result;
  };
  using command = std::variant<take_permits, give_back, send, wait, write_ahead, note, finish>;

  explicit handover(migration_order order);

  /// Total: every event is decided in every phase. `now` is the controller's monotonic clock.
  [[nodiscard]] std::vector<command> handle(const event& e, mono_time now);

  phase at() const { return phase_; }
  const migration_order& order() const { return order_; }
  epoch number() const { return ticket_ ? ticket_->number() : epoch{}; }

private:
  // handover.cpp: the way forward
  void on(const begin& e);
  void on(const permits_granted& e);
  void on(const answered& e);
  void on(const progressed& e);
  void on(const cancel_asked& e);
  void on(const timer_fired& e);
  void on(const written_ahead& e);
  void begun(const result<wire::reply_body>& body);
  void received(const result<wire::reply_body>& body);
  void start_stream();
  void stream_started(const result<wire::reply_body>& body);
  void source_ended(const result<wire::reply_body>& body);
  void target_ended(const result<wire::reply_body>& body);
  void cancel_answered(const result<wire::reply_body>& body);
  void decide_after_stream();
  void move_config();
  void config_moved(const result<wire::reply_body>& body);
  void config_seen(const result<wire::reply_body>& body);
  void back_out_of_early_move(const error& why);
  void queue_for_stream();
  void ask_take_over();
  void taken_over(const result<wire::reply_body>& body);
  void claim_answered(const result<wire::reply_body>& body);
  void cleaned(step what, const result<wire::reply_body>& body);
  void dispatch(step what, const result<wire::reply_body>& body);

  // handover_back_out.cpp: the way back
  void back_out(std::string reason);
  void void_answered(const result<wire::reply_body>& body);
  void revert();
  void continued(const result<wire::reply_body>& body);
  void reverted(const result<wire::reply_body>& body);
  void stay_or_retry();
  bool source_runs_by_itself() const;

  // handover_support.cpp: what both ways use
  void transition_to(phase next);
  void ask(side to, step what, wire::request_body body, milliseconds deadline);
  bool ask_again(step what, std::optional<errc> why = std::nullopt);
  void repeat(step what);
  void cancel_streaming();
  void give_back_streams();
  void mark(std::string_view what, const node_id& node, std::optional<wall_time> at);
  void end_with(verdict end, std::string reason);
  migration_figures figures() const;
  /// Absent before the source has told it.
  std::optional<double> budget_s() const;
  wire::request_body body_of(step what) const;
  side side_of(step what) const;
  milliseconds deadline_of(step what) const;
  milliseconds copy_time_max() const;
  std::uint32_t channels_of_source() const;
  void note_if_narrowed(const node_id& node, std::uint32_t asked, std::uint32_t channels);

  migration_order order_;
  phase phase_ = phase::waiting;
  std::vector<command> out_;
  mono_time now_;
  std::optional<mono_time> begun_at_;

  std::optional<ticket> ticket_;
  std::optional<wire::begun> source_;
  std::optional<wire::stream_offer> door_;
  std::optional<wire::outcome> source_end_;
  std::optional<wire::outcome> target_end_;
  std::optional<wire::taken_over> taken_over_;
  std::optional<wire::voided> proof_;
  std::optional<clock_estimate> source_clock_;
  std::optional<clock_estimate> target_clock_;
  convergence ladder_;
  std::uint64_t transferred_bytes_ = 0;

  std::optional<std::string> cancel_reason_; ///< set = somebody asked to cancel
  std::string reason_;                       ///< of the back-out under way
  bool reason_is_passing_ = false;           ///< another attempt may succeed
  bool stream_asked_ = false;                ///< `stream` was sent: S's final state decides
  bool take_over_asked_ = false;             ///< from here S continues on T's proof only
  bool forward_only_ = false;                ///< T's run mark stands: never void again
  bool holds_streams_ = false;
  std::set<step> outstanding_;
  std::set<step> cleaning_left_;
  std::uint32_t outcome_link_ = 0;     ///< the source's, when it told its outcome
  bool settle_again_ = false;          ///< the source has been alone since
  std::vector<std::string> left_over_; ///< clean-up that failed for good
  std::map<step, std::uint32_t> repeats_;
  std::map<std::uint32_t, step> repeat_at_; ///< timer generation -> step to ask again
  std::uint32_t timer_generation_ = 0;
  std::uint32_t attempts_ = 0;
};

} // namespace drover
