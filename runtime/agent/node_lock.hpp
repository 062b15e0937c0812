// The lock that lets one agent act on a node. Rule: it is the kernel's, so it is free the moment
// its holder is dead, and it is never inherited by a QEMU.
//
//   agent.lock   locked by the acting agent; its text says who that is
//   agent.next   the pid of an agent that waits, so that one without a controller gives way
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace drover {

class node_lock {
public:
  explicit node_lock(std::filesystem::path run_dir);
  ~node_lock();
  node_lock(const node_lock&) = delete;
  node_lock& operator=(const node_lock&) = delete;

  /// False while another process holds it.
  bool take();
  /// Writes who acts, for the people who meet this lock.
  void sign(std::string_view controller) const;
  /// "pid 123, controller host:456".
  std::string holder() const;
  /// Says that this process waits for the lock, until it has it, leaves the line or is gone.
  void wait_in_line();
  void leave_line();
  /// True while another process waits for the lock.
  bool is_awaited() const;

private:
  std::filesystem::path next_;
  int file_ = -1;
  bool in_line_ = false;
};

} // namespace drover
