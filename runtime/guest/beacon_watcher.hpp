// Driver: hears the beats of many beacon VMs, one unix socket for each. Rule: one thread of its
// own, so that arrival times do not depend on what else the program does; every call is
// thread-safe.
//
// Each QEMU of a VM connects to the VM's socket when it starts (beacon_args.hpp) and is told apart
// by the pid that the kernel names for it. A target's first beat must not be judged before the
// source's last: on every event of a VM the connections are read newest first and judged oldest
// first. The source is silent before the target runs, so what the target had sent when it was read
// finds all of the source's bytes in the source's buffer.
//
// A QEMU writes its beats synchronously: while nobody reads, its guest stops once the socket's
// buffer is full. After `close`, or the end of the program, beats are dropped and guests run on.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/time.hpp"
#include "runtime/guest/beacon_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace drover {

class beacon_watcher {
public:
  /// The longest path of a unix socket, without its end mark.
  static constexpr std::size_t path_max = 107;

  /// `directory` exists and is writable; give one that belongs to nobody else (mode 0700).
  static result<std::unique_ptr<beacon_watcher>> open(const std::filesystem::path& directory);

  ~beacon_watcher();
  beacon_watcher(const beacon_watcher&) = delete;
  beacon_watcher& operator=(const beacon_watcher&) = delete;

  /// Listens for the VM's QEMUs and returns the socket's path; asked again, the same. A dead
  /// socket in its place is removed, a living one is a `conflict`.
  result<std::string> watch(vm_id vm);
  /// Where `watch` listens: `<directory>/<vmid>.beat`.
  std::string socket_path(vm_id vm) const;

  /// What was heard so far, also after `close`; nullopt for a VM that is not watched.
  std::optional<beacon_report> report(vm_id vm) const;
  std::map<vm_id, beacon_report> reports() const;

  /// Waits until the VM has beaten `beats` more times than now; `timeout` says how many came.
  result<done> wait_for_beats(vm_id vm, std::uint64_t beats, milliseconds timeout) const;

  /// Ends the thread and removes the sockets, within milliseconds. Reports stay readable.
  void close();

private:
  class loop;

  explicit beacon_watcher(std::unique_ptr<loop> running);

  std::unique_ptr<loop> loop_;
};

} // namespace drover
