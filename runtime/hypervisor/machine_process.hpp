// The process of one QEMU. Rule: it is no part of the agent: it has its own session, and whoever
// comes later finds it by its pid file. Its end is told by the kernel (pidfd), never polled for.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/hypervisor/run_files.hpp"
#include "runtime/hypervisor/unique_fd.hpp"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace drover {

class machine_process : public std::enable_shared_from_this<machine_process> {
public:
  /// Called once, later, when the process is gone: "ended with status 1".
  using gone = std::function<void(const std::string& how)>;

  /// Starts it with its two control sockets, to which one can connect at once, and `taps` behind
  /// them as descriptors.
  static result<std::shared_ptr<machine_process>> launch(
    asio::io_context& loop, const run_files& files, const std::vector<std::string>& argv,
    std::vector<unique_fd> taps, gone on_gone);
  /// Finds the process of the pid file again; `lost` when it is gone or another one has its number.
  static result<std::shared_ptr<machine_process>> adopt(
    asio::io_context& loop, const run_files& files, gone on_gone);

  pid_t pid() const { return pid_; }
  void kill();
  void terminate();
  /// Nothing is called any more; the process runs on.
  void forget();

private:
  machine_process(asio::io_context& loop, pid_t pid, unique_fd handle, gone on_gone);
  void watch();
  std::string reap();

  pid_t pid_;
  asio::posix::stream_descriptor handle_; ///< pidfd: names this very process, never a later one
  gone on_gone_;
};

} // namespace drover
