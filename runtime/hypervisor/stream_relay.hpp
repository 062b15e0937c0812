// Carries the connections of a stream with several channels between QEMU and the network, since
// QEMU takes no descriptors for them. Rule: it never looks at what passes (the two QEMUs encrypt
// end to end), holds a bounded part of it, and takes no part in the agent: it is a process of its
// own, so that a stream outlives its agent and nothing in a pause waits for an agent's loop.
//
//   agent --pairs of sockets, then "complete"--> relay        QEMU <-> inner | outer <-> network
//
// Each way goes through a pipe by splice(2), so that no byte is copied. The end of one half is
// passed on as such; a side that has hung up ends the other. The relay ends with its last
// connection; when the agent goes before all of them stand, the stream is over.
//
// A stream that breaks ends by its first connection, the main one. A QEMU (7.2) that is told by
// another first waits for its channels for ever and never streams again: so what it sends by a
// channel whose network is gone is swallowed, and the main connection is closed because of it.
//
// A QEMU of before 8.0 takes the first connection whose handshake is through for the main one. What
// the later ones send is therefore held until the other host has everything of the first so far.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"
#include "runtime/base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace drover {

/// One direction of a connection: socket, pipe, socket.
class relay_way {
public:
  /// When nobody takes it any more.
  enum class when_lost : std::uint8_t { end, swallow };

  /// Neither socket is owned.
  relay_way(int from, int to, when_lost then);

  /// Moves what can be moved now, a bounded amount; false when nothing could.
  bool pump();
  /// The end was passed on, or nobody takes it any more.
  bool is_over() const { return over_; }
  bool is_empty() const { return held_bytes_ == 0; }
  bool swallows() const { return swallows_; }
  /// Something was sent that nobody will ever get.
  bool has_wasted() const { return has_wasted_; }
  /// Nobody takes it any more.
  void lose_taker();

private:
  enum class moved : std::uint8_t { something, nothing };
  moved take_in();
  moved hand_on();
  void give_up();
  void swallow_held();

  int from_;
  int to_;
  when_lost then_;
  unique_fd pipe_out_;
  unique_fd pipe_in_;
  std::size_t held_bytes_ = 0; ///< in the pipe
  bool ended_ = false;         ///< nothing more comes in
  bool swallows_ = false;
  bool has_wasted_ = false;
  bool over_ = false;
};

class stream_relay {
public:
  /// What the agent's side of `control` sends.
  static constexpr char pair_message = 'p';     ///< with two descriptors: QEMU's, the network's
  static constexpr char complete_message = 'c'; ///< there are no more; the agent may go

  explicit stream_relay(unique_fd control);

  /// Waits until something happens, for `wait` at most, and carries what has come; false when there
  /// is nothing to carry any more and nothing more will come.
  bool serve(milliseconds wait);

private:
  /// After QEMU has hung up: how long the network may take for the rest.
  static constexpr milliseconds rest_deadline{10'000};
  /// After a channel's network has gone: how long QEMU may take to notice by the main connection.
  /// One that waits for an answer by this very channel, within its handshake, never would.
  static constexpr milliseconds lost_deadline{3'000};

  struct connection {
    connection(unique_fd qemu, unique_fd network, relay_way::when_lost then)
      : inner(std::move(qemu)), outer(std::move(network)), out(inner.get(), outer.get(), then),
        in(outer.get(), inner.get(), relay_way::when_lost::end) {}
    unique_fd inner;
    unique_fd outer;
    relay_way out;
    relay_way in;
    std::optional<mono_time> until; ///< since one side has gone
  };

  void listen_to_agent();
  void add(unique_fd inner, unique_fd outer);
  bool watch(int fd, std::uint64_t what);
  void take_event(std::uint64_t what, std::uint32_t events);
  milliseconds patience(milliseconds wait) const;
  void open_gate_when_first_is_through();
  void carry(std::uint64_t id);
  void break_off();
  static void limit(connection& one, milliseconds wait);

  unique_fd control_;
  unique_fd poll_;
  std::map<std::uint64_t, connection> connections_; ///< by order of arrival, from 1
  std::set<std::uint64_t> ready_;                   ///< may have something to move
  std::uint64_t last_id_ = 0;
  bool is_complete_ = false;
  bool gate_is_open_ = false; ///< what later connections send may go out
};

/// Serves an agent that holds the other end of `control`, until nothing is left; a program's end.
int serve_stream_relay(int control);

} // namespace drover
