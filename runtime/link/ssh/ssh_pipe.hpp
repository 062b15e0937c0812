// Lines over the channel of a running agent: reads, writes, signs of life, the end. Rule:
// everything here runs on the loop's thread; `ended` is told once, and nothing after it.
//
// The loop sleeps only after a round in which nothing was written, nothing was read and nothing
// arrived: whatever libssh2 swallowed on the way has been taken out by then.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/link/ssh/socket_watch.hpp"
#include "runtime/link/ssh/ssh_session.hpp"
#include "runtime/link/ssh/ssh_settings.hpp"
#include "runtime/wire/line_framer.hpp"

#include <array>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace drover::ssh {

class ssh_pipe : public std::enable_shared_from_this<ssh_pipe> {
public:
  struct listener {
    std::function<void(std::string line)> line;
    std::function<void(error why)> ended;
  };

  ssh_pipe(
    asio::io_context& context, ssh_link_settings settings, std::shared_ptr<ssh_session> session,
    listener tell);

  void begin();
  void send(std::string_view line);
  /// Finishes the writing, then lets the agent end by itself.
  void close();
  /// The same, and nothing is told any more.
  void forget();

private:
  enum class sender : std::uint8_t { reading, writing, beating, ending };

  /// Pumps soon, once for many.
  void wake();
  void pump();
  /// One round; true when another may find something.
  bool round();
  /// False while another sender's packet is half sent.
  bool may(sender who) const;
  bool read_some();
  bool read_from(stream which);
  void take_errors(std::string_view bytes);
  bool write_some();
  void beat_some();
  void end_input();
  void after_output();
  void wait();

  void arm_beat();
  void beat_due();
  bool is_peer_taking();

  /// The link is over for a reason of its own; unwritten lines are dropped.
  void break_off(error why);
  void lost(error why);
  void end_within(milliseconds wait);
  error reason() const;
  void tell_end();

  ssh_link_settings settings_;
  std::shared_ptr<ssh_session> session_; ///< null once the end was told
  listener tell_;
  asio::io_context& context_;
  std::optional<socket_watch> watch_;
  asio::steady_timer beat_timer_;
  asio::steady_timer end_timer_;
  wire::line_framer framer_;
  std::array<char, 64 * 1024> buffer_;

  std::string queued_;  ///< not yet begun
  std::string writing_; ///< being written
  std::size_t written_ = 0;
  sender last_sender_ = sender::reading;
  bool is_awake_ = false;
  bool is_beating_ = false; ///< asked for a sign of life that has not come
  mono_time heard_{};
  std::uint64_t received_ = 0; ///< of the session, when `heard_` was set
  int unsent_bytes_ = 0;       ///< in the socket, when last looked at

  bool closing_ = false;
  bool input_ended_ = false;
  bool output_ended_ = false;
  bool told_ = false;
  std::optional<error> cause_; ///< why this side ended the link
  std::string exit_text_;      ///< how the agent ended
  std::string error_line_;     ///< of its stderr, not ended yet
  std::string last_words_;     ///< the last line of its stderr
  unique_fd log_;
};

} // namespace drover::ssh
