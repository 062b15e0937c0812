// The lock that lets one agent act on a node. Rule: it is the kernel's, so it is free the moment
// its holder is dead, and it is never inherited by a QEMU.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace drover {

class node_lock {
public:
  explicit node_lock(const std::filesystem::path& run_dir);
  ~node_lock();
  node_lock(const node_lock&) = delete;
  node_lock& operator=(const node_lock&) = delete;

  /// False while another process holds it.
  bool take();
  /// Writes who acts, for the people who meet this lock.
  void sign(std::string_view controller) const;
  /// "pid 123, controller host:456".
  std::string holder() const;

private:
  int file_ = -1;
};

} // namespace drover
