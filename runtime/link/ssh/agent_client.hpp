// A connection to the ssh-agent on the loop: a question, an answer. Rule: nothing here blocks, and
// every question is answered within its time: a stopped agent costs one login, not the loop.
// (libssh2's own agent calls block without a limit, which is why they are not used.)
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"

#include <array>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

namespace drover::ssh {

class agent_client : public std::enable_shared_from_this<agent_client> {
public:
  using answered = std::function<void(result<std::string> answer)>;

  agent_client(asio::io_context& context, std::string path, milliseconds within);

  /// One at a time; `then` comes later, on the loop's thread. After an error nothing more works.
  void ask(std::string request, answered then);
  /// Nothing is answered any more.
  void close();

private:
  void write();
  void read_size();
  void read_answer(std::size_t size);
  void end(result<std::string> answer);
  void broken(const std::string& why);

  std::string path_;
  milliseconds within_;
  asio::local::stream_protocol::socket socket_;
  asio::steady_timer timer_;
  bool connected_ = false;
  std::string request_;
  std::string answer_;
  std::array<char, 4> size_{};
  answered then_;
};

} // namespace drover::ssh
