// A link to an agent on another machine: its lines over one channel of one SSH session. Rule: as
// process_link; closing closes the agent's stdin and lets it finish, and nobody waits longer than
// `close_wait` for that. When to open again is the node session's decision, not the link's.
//
//   open() -> ssh_login -> opened -> ssh_pipe: lines -> closed
//                    \-> closed                  \-> close(): what is queued, end of input, closed
#pragma once

#include "runtime/link/link.hpp"
#include "runtime/link/ssh/ssh_settings.hpp"
#include "runtime/link/ssh/ssh_shared.hpp"

#include <memory>
#include <string>

namespace drover {

class ssh_link final : public link {
public:
  ssh_link(
    std::shared_ptr<link_loop> loop, std::shared_ptr<ssh_shared> shared,
    ssh_link_settings settings);
  /// Closes without telling anybody.
  ~ssh_link() override;

  void open(link_events events) override;
  void send(std::string line) override;
  void close() override;

private:
  class state;
  std::shared_ptr<link_loop> loop_;
  std::shared_ptr<state> state_;
};

} // namespace drover
