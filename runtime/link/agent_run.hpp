// One run of a child process on the loop: its reads, its writes, its end. Rule: everything here
// runs on the loop's thread; `ended` is told once, and the process is reaped whenever it ends, also
// long after that.
#pragma once

#include "runtime/link/child_process.hpp"
#include "runtime/link/process_link.hpp"
#include "runtime/wire/line_framer.hpp"

#include <array>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace drover {

class agent_run : public std::enable_shared_from_this<agent_run> {
public:
  struct listener {
    std::function<void(std::string line)> line;
    std::function<void(error why)> ended;
  };

  agent_run(
    asio::io_context& context, process_link_settings settings, child_process child, listener tell);

  void begin();
  void send(std::string_view line);
  /// Finishes the writing, then lets the child end by itself.
  void close();
  /// The same, and nothing is told any more.
  void forget();

private:
  void read();
  /// False when nothing is there now, the output has ended, or the link is over.
  bool read_once();
  void write();
  void written(const asio::error_code& failed);
  void close_input();

  /// The link is over for a reason of its own; unwritten lines are dropped.
  void break_off(error why);
  /// The child gave up one end of the link; it is expected to exit.
  void half_closed(const char* what);
  void wait_for_exit(milliseconds wait);
  void exited();
  void tell_end();
  error reason() const;
  /// Signals, much later, for a child that does not end.
  void signal_after(milliseconds wait, int number);

  process_link_settings settings_;
  child_process child_;
  listener tell_;
  asio::posix::stream_descriptor watch_;
  asio::posix::stream_descriptor output_;
  asio::local::stream_protocol::socket input_;
  asio::steady_timer timer_;
  wire::line_framer framer_;
  std::array<char, 64 * 1024> buffer_;

  std::string queued_;  ///< not yet handed to the socket
  std::string writing_; ///< being written
  bool closing_ = false;
  bool output_ended_ = false;
  bool told_ = false;
  std::optional<error> cause_;        ///< why this side ended the link
  const char* half_closed_ = nullptr; ///< what the child closed while it went on
  std::string exit_text_;             ///< set once the child was reaped
};

} // namespace drover
