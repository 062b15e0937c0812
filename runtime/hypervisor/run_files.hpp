// The run directory's files, one set per VM. Rule: they say what QEMU itself cannot tell a new
// driver: which process, which config, which handover. They go when the process is gone, but for
// the log of a QEMU that ended unasked.
//
//   100.pid      the process; QEMU locks it
//   100.qmp      control socket, for the agent's lasting connection
//   100.rescue   control socket that is free when the other one hangs
//   100.started  the config as it was started, pinned
//   100.stream   {"number": 7, "role": "source"}: the last handover it took part in
//   100.tls      keys.psk, the key of a stream: there from `receive` to the handshake at most
//   100.multifd  the socket of a stream with several channels: until its connections are made
//   100.log      what QEMU wrote to its standard output and error
//   100.serial0  the socket of `serial0: socket`; 100.qga the guest agent's
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

enum class stream_role : std::uint8_t { none, source, target };

/// As TLS sees the two QEMUs: the target is the server.
enum class key_end : std::uint8_t { client, server };

struct stream_mark {
  epoch number;
  stream_role role = stream_role::none;
  bool operator==(const stream_mark&) const = default;
};

class run_files {
public:
  run_files(const std::filesystem::path& run_dir, vm_id vm)
    : base_((run_dir / drover::to_string(vm)).native()) {}

  std::filesystem::path pid() const { return base_ + ".pid"; }
  std::filesystem::path control() const { return base_ + ".qmp"; }
  std::filesystem::path rescue() const { return base_ + ".rescue"; }
  std::filesystem::path started() const { return base_ + ".started"; }
  std::filesystem::path stream() const { return base_ + ".stream"; }
  std::filesystem::path key_dir() const { return base_ + ".tls"; }
  std::filesystem::path multifd() const { return base_ + ".multifd"; }
  std::filesystem::path log() const { return base_ + ".log"; }
  std::filesystem::path serial(std::uint32_t n) const {
    return base_ + ".serial" + std::to_string(n);
  }
  std::filesystem::path agent() const { return base_ + ".qga"; }

  /// 0 = there is none that can be read.
  pid_t read_pid() const;
  result<std::string> read_started() const;
  stream_mark read_stream() const;
  /// The last lines of the log, for an error message; empty = it is empty.
  std::string log_tail() const;

  result<void> write_pid(pid_t pid) const;
  result<void> write_started(const std::string& config) const;
  result<void> write_stream(const stream_mark& mark) const;

  /// QEMU's file of pre-shared keys with this one in it, for this user's eyes only.
  result<void> write_key(key_end end, const std::string& identity, const std::string& key) const;
  void remove_key() const;
  /// Nobody can connect any more.
  void remove_multifd() const;

  enum class log_file : std::uint8_t { keep, remove };
  void remove_all(log_file log) const;

private:
  std::string base_;
};

/// The VMs that have a key or a socket of a stream there.
std::vector<vm_id> streams_in(const std::filesystem::path& run_dir);
/// Their names among them: "105.tls".
std::vector<std::string> stream_files(const std::filesystem::path& run_dir, vm_id vm);

/// The VMs that have a QEMU there, or had one whose agent could not clean up.
std::vector<vm_id> vms_in(const std::filesystem::path& run_dir);

/// Replaces the file in one step; what was there before stays when that fails.
result<void> write_file(const std::filesystem::path& path, const std::string& text);

} // namespace drover
