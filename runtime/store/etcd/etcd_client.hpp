// One conversation with an etcd cluster over HTTP, by libcurl. Rule: every request ends in its own
// short time (a cluster without a leader would hold it for 7 s), and the next one goes to another
// member when this one gave no answer. Used by one thread.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/store/etcd/etcd_access.hpp"
#include "runtime/store/etcd/etcd_messages.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace drover::etcd {

class client {
public:
  explicit client(access reached);
  ~client();
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;

  /// The answer's body. Errors: `retry` nothing was sent; `refused`, `invalid`, `conflict` etcd has
  /// said so; `lost` and `timeout` whether it was carried out is unknown. After one of those, of
  /// `refused` and of `retry`, the next request goes to the next member.
  result<std::string> post(const std::string& path, const std::string& body);

  /// Reads a stream of lines until it ends, `wake` is called from another thread, or nothing has
  /// come for `silence`. `on_line` returns false to end it.
  result<done> read_lines(
    const std::string& path, const std::string& body, nanoseconds silence,
    const std::function<bool(const std::string&)>& on_line);
  /// From any thread: read_lines ends soon.
  void wake();

  const std::string& endpoint() const;
  void next_endpoint();

private:
  struct session;

  result<std::string> post_once(const std::string& path, const std::string& body, bool& login_over);
  result<done> log_in();

  std::unique_ptr<session> session_;
};

} // namespace drover::etcd
