// What a node_session is given and what it wants done. Rule: plain data; the machine and its table
// are in node_session.hpp.
#pragma once

#include "runtime/base/clock_estimate.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/time.hpp"
#include "runtime/wire/message.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace drover::session {

struct open_link {};
struct send_line {
  std::string line;
};
struct close_link {};

/// The one answer to a call: the agent's, or the reason why there is none.
struct answer {
  request_id id;
  result<wire::reply_body> body;
  /// How the node's clocks stand; with an answer that holds a moment.
  std::optional<clock_estimate> clock{};
  /// Counts the links on which hello was accepted: another number says that the agent was alone
  /// for a while.
  std::uint32_t link = 0;
};

struct notice_came {
  wire::notice body;
};

enum class link_state : std::uint8_t { up, down };

/// `down` is told again when the reason has changed.
struct state_changed {
  link_state state = link_state::down;
  std::string reason; ///< empty when up
};

enum class restart : std::uint8_t { agent, host };

/// The agent that answers now is not the one of the last hello; comes right after `up`.
struct agent_restarted {
  restart what = restart::agent;
};

struct asked_again {
  request_id id;
  std::string method;
};

enum class drop : std::uint8_t {
  late_reply,    ///< its call has ended at its deadline
  double_reply,  ///< its call was answered before
  foreign_reply, ///< this session never sent that id
  unreadable,    ///< not a message, and not recognisable as an answer
  stray,         ///< an event that the phase does not expect
};

/// Something that came and has no effect.
struct dropped {
  drop kind = drop::stray;
  std::string text;
};

/// `tick` is wanted at this time or soon after it; replaces every earlier wish.
struct wake_at {
  mono_time at;
};

using command = std::variant<
  open_link, send_line, close_link, answer, notice_came, state_changed, agent_restarted,
  asked_again, dropped, wake_at>;
using commands = std::vector<command>;

struct called {
  request_id id;
  commands todo;
};

enum class phase : std::uint8_t {
  idle,     ///< not started
  opening,  ///< the link's driver connects
  greeting, ///< connected; hello is not answered yet
  up,       ///< hello was accepted; calls are sent
  closing,  ///< this side gave the link up and waits for the driver to close it
  waiting,  ///< closed; back-off until the next try
  stopped,  ///< for good
};

std::string_view to_string(phase p);
std::string_view to_string(drop d);

struct settings {
  node_id node;           ///< the agent has to be this one
  std::string controller; ///< who asks, for people
  std::string id_prefix;  ///< unique among all controllers, now and later
  /// A number from 0 to below 1 per call; shortens each back-off by up to half. May be empty.
  std::function<double()> jitter;

  nanoseconds open_wait = std::chrono::seconds(30);
  nanoseconds hello_wait = std::chrono::seconds(15);
  nanoseconds ping_after = std::chrono::seconds(5);       ///< of silence
  nanoseconds dead_after_ping = std::chrono::seconds(10); ///< of silence that follows a ping
  /// A node's clocks are read so often at first, and then again after this time.
  unsigned clock_readings_first = 5;
  nanoseconds clock_every = std::chrono::seconds(20);
  nanoseconds backoff_first = milliseconds(50);
  nanoseconds backoff_max = std::chrono::seconds(2);
  /// From this many refused logins or hellos in a row on, each one answers all waiting calls.
  unsigned hello_refusals_max = 3;
  std::size_t window_max = 1024; ///< calls sent and not answered
  std::size_t calls_max = 8192;  ///< calls sent or queued; more are refused with `retry`
};

} // namespace drover::session
