// The controller's end of one node's link, as a pure machine: events in, commands out. Rule: every
// call is answered exactly once, at its deadline at the latest; a call that was sent and not yet
// answered is asked again under the same id after a reconnect.
//
//            start            opened             hello accepted
//     idle --------> opening --------> greeting ----------------> up
//                     ^    \               |  hello refused,       |  silence
//        back-off over |     \ closed      v  no hello, silence    v
//                  waiting <------------ closing <-----------------+
//                     ^        closed                              |
//                     +--------------------------------------------+ closed
//
//   phase     opened     line                 closed       tick                stop
//   idle      stray      stray                stray        deadlines           -> stopped
//   opening   greeting   stray                -> waiting   too long: closing   closing
//   greeting  stray      hello, answers       -> waiting   too long: closing   closing
//   up        stray      answers, notices     -> waiting   ping, then closing  closing
//   closing   stray      answers, notices     -> waiting*  deadlines           *to stopped
//   waiting   stray      stray                stray        -> opening          -> stopped
//   stopped   stray      stray                stray        nothing             nothing
//
// `start` counts in idle only. `call` queues in every phase but stopped, sends in `up`. Deadlines
// are looked at by every tick. A stray event is told by `dropped` and changes nothing.
#pragma once

#include "actors/nodes/node_clock.hpp"
#include "actors/nodes/session_commands.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/time.hpp"
#include "runtime/wire/message.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace drover {

class node_session {
public:
  using phase = session::phase;
  using commands = session::commands;

  explicit node_session(session::settings s) : settings_(std::move(s)) {}

  [[nodiscard]] commands start(mono_time now);
  /// `deadline` is a point in time; the answer comes in the commands of this or a later input.
  [[nodiscard]] session::called call(wire::request_body body, mono_time deadline, mono_time now);
  [[nodiscard]] commands opened(mono_time now);
  [[nodiscard]] commands line(std::string_view text, mono_time now);
  [[nodiscard]] commands closed(const error& why, mono_time now);
  [[nodiscard]] commands tick(mono_time now);
  /// Answers all calls and closes the link; it has ended when `at()` is stopped.
  [[nodiscard]] commands stop(mono_time now);

  phase at() const { return phase_; }
  /// What the agent said in the last accepted hello; stays when the link is lost.
  const std::optional<wire::hello_reply>& last_hello() const { return hello_; }
  std::size_t calls_waiting() const { return waiting_.size(); }
  /// How the node's clocks stand, as far as its agent has told.
  std::optional<clock_estimate> clock(mono_time now) const { return clock_.estimate(now); }

private:
  using sequence = std::uint64_t;

  struct entry {
    request_id id;
    wire::request_body body;
    mono_time deadline;
    unsigned sent = 0; ///< how often, on all links together
  };
  using entries = std::map<sequence, entry>;

  void transition_to(phase next, mono_time now);
  void connect(mono_time now);
  void give_up_link(error why, mono_time now);
  void back_off(mono_time now);
  void end(const std::string& reason);
  void tell_down(const std::string& reason);

  void greet(mono_time now);
  void hello_answered(const result<wire::reply_body>& body, mono_time now);
  void hello_refused(error why, mono_time now);
  void count_refusal(const error& why);
  std::optional<error> objection(const wire::hello_reply& hello) const;

  void reply_came(wire::reply reply, mono_time now);
  void unreadable(std::string_view text, const error& why, mono_time now);
  void drop_reply(const request_id& id);

  void flush(mono_time now);
  /// Not a call: nobody waits for its answer.
  void send_own(sequence number, wire::request_body body, nanoseconds wait);
  void conclude(
    entries::iterator call, result<wire::reply_body> body,
    std::optional<clock_estimate> clock = std::nullopt);
  void conclude_all(const error& sent, const error& never_sent);
  void expire(mono_time now);
  error out_of_time(const entry& call) const;
  error too_old(std::string_view needed) const;
  void heartbeat(mono_time now);

  // node_session_own.cpp: what nobody has called for.
  bool can(std::string_view feature) const;
  void read_clocks(mono_time now);
  void clocks_came(mono_time asked, const wire::reply& reply, mono_time now);
  void remember_cordon(const wire::request_body& asked, const result<wire::reply_body>& body);
  void cordon_again();

  request_id id_of(sequence number) const;
  /// The number in an id of this session; nullopt for every other id.
  std::optional<sequence> number_of(const request_id& id) const;

  std::optional<mono_time> due() const;
  /// The commands gathered by one input, with the next wish to be woken.
  commands finish();
  commands stray(std::string_view event);
  void emit(session::command c) { out_.push_back(std::move(c)); }

  session::settings settings_;
  phase phase_ = phase::idle;
  mono_time since_{};                    ///< when `phase_` was entered
  bool stopping_ = false;                ///< `closing` leads to `stopped`
  std::optional<error> cause_;           ///< why this side gave the link up
  std::optional<std::string> told_down_; ///< the reason told last; nullopt = `up` or nothing told

  nanoseconds backoff_{0}; ///< of the next failure; 0 = the first
  mono_time reopen_at_{};
  std::optional<mono_time> up_since_;

  std::optional<wire::hello_reply> hello_;
  std::uint32_t links_ = 0; ///< on which hello was accepted
  sequence hello_number_ = 0;
  unsigned hello_refusals_ = 0;
  std::optional<error> hello_refusal_;

  mono_time heard_{};               ///< when the last line came
  std::optional<mono_time> pinged_; ///< a ping that nothing followed yet
  std::set<sequence> pings_;        ///< sent on this link and not answered; cordons too

  node_clock clock_;
  std::map<sequence, mono_time> clocks_asked_; ///< on this link; value: when
  unsigned clock_readings_ = 0;                ///< on this link
  std::optional<mono_time> clock_due_;
  std::optional<wire::cordon> cordon_; ///< asked by a call, granted, and not taken back

  sequence next_ = 1;
  entries waiting_;                                    ///< every call that was not answered
  std::set<sequence> unsent_;                          ///< of `waiting_`: not on the present link
  std::set<std::pair<mono_time, sequence>> deadlines_; ///< of `waiting_`
  std::set<sequence> timed_out_;                       ///< the newest of them, to name late replies

  std::optional<mono_time> armed_; ///< the wish to be woken that is outstanding
  commands out_;
};

} // namespace drover
