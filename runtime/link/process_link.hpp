// A link to an agent that runs as a child process on this machine: lines over its stdin and stdout.
// Rule: closing closes its stdin and lets it finish; the agent's own work is never cut short by a
// signal within `term_after`.
//
//   close() -> queued lines are written, stdin closes -> the agent exits -> closed
//                                                     \-> close_wait -> closed, and the process is
//              left behind: SIGTERM after term_after, SIGKILL after kill_after, then reaped
//
// A process left behind may still hold its node when `open` starts the next one; the agents settle
// that among themselves, and hello says `conflict` until it is settled.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/link/link.hpp"
#include "runtime/link/link_loop.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

struct process_link_settings {
  std::vector<std::string> argv; ///< argv[0] is looked for in PATH
  std::string log_path;          ///< where the agent's stderr is appended to; empty = inherited
  milliseconds close_wait = std::chrono::seconds(2);
  milliseconds term_after = std::chrono::seconds(60);
  milliseconds kill_after = std::chrono::seconds(70);
  std::size_t queued_bytes_max = 16 * 1024 * 1024; ///< more unwritten bytes close the link
};

class process_link final : public link {
public:
  process_link(std::shared_ptr<link_loop> loop, process_link_settings settings);
  /// Closes without telling anybody.
  ~process_link() override;

  void open(link_events events) override;
  void send(std::string line) override;
  void close() override;

  /// The child of the open link, for fault injection; 0 when there is none.
  pid_t pid() const;

private:
  class state;
  std::shared_ptr<link_loop> loop_;
  std::shared_ptr<state> state_;
};

} // namespace drover
