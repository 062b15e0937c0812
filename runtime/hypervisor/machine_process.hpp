// The process of one QEMU. Rule: it is no part of the agent: it has its own session, and whoever
// comes later finds it by its pid file. Its end is told by the kernel (pidfd), never polled for.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/run_files.hpp"
#include "runtime/hypervisor/urgency.hpp"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace drover {

/// What a process is started from; plain data, so that it can go to another thread.
struct process_plan {
  run_files files;
  std::string config;
  stream_mark mark; ///< role `none` = it takes part in no handover
  std::vector<std::string> argv;
  std::vector<std::string> tap_bridges;
};

struct new_process {
  pid_t pid = 0;
  unique_fd handle;
  urgency runs = urgency::usual;
};

/// Writes the run directory's files and starts the process with its two control sockets, to which
/// one can connect at once, and its taps behind them as descriptors.
///
/// Blocks until the new process has left ours, which took 11 ms in the middle of fifty starts on
/// two cores: it is for a thread that nobody in a pause waits for.
result<new_process> start_process(const process_plan& plan);

class machine_process : public std::enable_shared_from_this<machine_process> {
public:
  /// Called once, later, when the process is gone: "ended with status 1".
  using gone = std::function<void(const std::string& how)>;

  static std::shared_ptr<machine_process> watch(
    asio::io_context& loop, new_process started, gone on_gone);
  /// Finds the process of the pid file again, also one whose agent was killed before it could write
  /// that file; `lost` when it is gone or another one has its number. Waits up to 3 s for one that
  /// was being started when its agent was killed.
  static result<std::shared_ptr<machine_process>> adopt(
    asio::io_context& loop, const run_files& files, gone on_gone);

  pid_t pid() const { return pid_; }
  /// Ends what `start_process` began for a receiving one: it takes its turns as any other.
  void raise();
  /// Both raise it first: where others leave it no turn, it would not come to its end either.
  void kill();
  void terminate();
  /// Nothing is called any more; the process runs on.
  void forget();

private:
  machine_process(asio::io_context& loop, new_process started, gone on_gone);
  void await_end();
  std::string reap();

  pid_t pid_;
  asio::posix::stream_descriptor handle_; ///< pidfd: names this very process, never a later one
  urgency runs_;
  gone on_gone_;
};

} // namespace drover
