// One QMP connection with nothing around it: lines in, lines out, on a socket that somebody else
// polls. Rule: shares no code with drover's own driver, so that a comparison with it compares.
#pragma once

#include "runtime/base/unique_fd.hpp"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace drover::bench {

class bare_qmp {
public:
  /// Takes each message that QEMU sends; greeting, replies and events alike.
  using reader = std::function<void(const nlohmann::json& message)>;

  bare_qmp() = default;
  /// Connects at once, since somebody listens at `path` already; throws when nobody does.
  bare_qmp(const std::string& path, reader read);

  int fd() const { return socket_.get(); }
  bool is_open() const { return static_cast<bool>(socket_); }
  /// A whole command; QEMU's replies come in the order of the commands.
  void send(std::string_view line);
  /// The same, with a descriptor that QEMU gets a copy of.
  void send(std::string_view line, int descriptor);
  /// Reads what there is; closes at QEMU's end.
  void take_in();
  void close() { socket_.reset(); }

private:
  unique_fd socket_;
  reader read_;
  std::string held_; ///< of an unfinished line
};

} // namespace drover::bench
