// The lock that lets one agent act on a node. Rule: it is the kernel's, so it is free the moment
// its holder is dead, and it is never inherited by a QEMU.
//
//   agent.lock   locked by the acting agent; its text says who that is
//   agent.next   the pid of an agent that waits, so that one without a controller gives way
#pragma once

#include "runtime/agent/agent_desk.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace drover {

class node_lock final : public node_seat {
public:
  explicit node_lock(std::filesystem::path run_dir);
  ~node_lock() override;
  node_lock(const node_lock&) = delete;
  node_lock& operator=(const node_lock&) = delete;

  bool take() override;
  void sign(std::string_view controller) override;
  std::string holder() const override;
  void wait_in_line() override;
  void leave_line() override;
  bool is_awaited() const override;

private:
  std::filesystem::path next_;
  int file_ = -1;
  bool in_line_ = false;
};

} // namespace drover
