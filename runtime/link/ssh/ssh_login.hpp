// From a node's name to its agent's command being started, as one run on the loop. Rule: every step
// has its time, nothing blocks, and an error says what to do; the host is known before the key is
// used.
//
//   search (files, agent, person) -> gate -> connect -> handshake -> host key -> login -> channel
//      |                                                                                     |
//      v  any error, any deadline, cancel                                                    v
//     ended: gate left, told once, the connection dropped       told: the session <------- start
#pragma once

#include "runtime/link/ssh/credentials.hpp"
#include "runtime/link/ssh/socket_watch.hpp"
#include "runtime/link/ssh/ssh_session.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace drover::ssh {

class ssh_login : public std::enable_shared_from_this<ssh_login> {
public:
  using finished = std::function<void(result<std::shared_ptr<ssh_session>>)>;

  ssh_login(std::shared_ptr<ssh_shared> shared, ssh_link_settings settings, finished tell);

  void begin();
  /// Drops everything; nothing is told any more.
  void cancel();

private:
  enum class phase : std::uint8_t {
    searching,
    queued,
    connecting,
    handshaking,
    logging_in,
    opening,
    starting,
    ended
  };

  void found(result<credentials> what);
  // -- TCP
  void look_up();
  void connect(std::vector<asio::ip::tcp::endpoint> addresses);
  void connected();
  // -- SSH
  void advance();
  result<step> next_step();
  /// True when the phase has changed and the next call can be made at once.
  bool done_step();
  result<step> log_in();
  void log_in_elsewhere();
  result<step> log_in_by_agent();
  void ask_signature();
  void wait();
  // -- the end
  void deadline(milliseconds wait);
  error in_context(error why) const;
  error login_error(error why) const;
  std::string peer() const;
  void leave_gate();
  void end(result<std::shared_ptr<ssh_session>> outcome);

  std::shared_ptr<ssh_shared> shared_;
  ssh_link_settings settings_;
  finished tell_;
  phase phase_ = phase::searching;
  std::string command_;
  std::shared_ptr<credential_search> search_;
  credentials credentials_;
  std::size_t agent_key_ = 0; ///< the one being tried
  bool is_signing_ = false;
  bool is_elsewhere_ = false;             ///< the session is a helper thread's
  std::optional<result<step>> elsewhere_; ///< what came of it
  std::optional<login_gate::ticket> ticket_;
  asio::ip::tcp::socket socket_;
  std::vector<asio::ip::tcp::endpoint> addresses_;
  asio::steady_timer timer_;
  std::shared_ptr<ssh_session> session_;
  std::optional<socket_watch> watch_;
};

} // namespace drover::ssh
