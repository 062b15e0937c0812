// Support: QEMU processes for the tests of the beacon, started from a beacon's config and driven by
// a few QMP commands. Rule: a failure throws, which fails the test case; whatever was started ends
// with its object. It is not drover's hypervisor driver and shares nothing with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover::guest_test {

/// A directory of its own in the system's place for temporary files; removed with all that is in
/// it.
class scratch_dir {
public:
  scratch_dir();
  ~scratch_dir();
  scratch_dir(const scratch_dir&) = delete;
  scratch_dir& operator=(const scratch_dir&) = delete;
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

class qemu_process {
public:
  /// Starts QEMU from a config's text, with `accel` and further words, and greets its QMP socket
  /// at `qmp_path`.
  qemu_process(
    const std::string& config, const std::filesystem::path& qmp_path,
    const std::vector<std::string>& more_words = {}, const std::string& accel = "tcg");
  ~qemu_process();
  qemu_process(const qemu_process&) = delete;
  qemu_process& operator=(const qemu_process&) = delete;

  pid_t pid() const { return pid_; }
  /// Sends a command and returns its `return`.
  nlohmann::json command(
    const std::string& name, const nlohmann::json& arguments = nlohmann::json::object());
  /// Waits for the event MIGRATION with this status, also one that came before.
  void await_migration(const std::string& status);
  void send_signal(int number) const;
  /// SIGKILL, and waits for the end.
  void kill();

private:
  void connect(const std::filesystem::path& qmp_path);
  /// The next line that QEMU sends; waits at most `answer_timeout`.
  nlohmann::json read_message();

  pid_t pid_ = -1;
  int socket_ = -1;
  std::string unread_;
  std::vector<nlohmann::json> events_; ///< not awaited yet
};

/// Moves the guest from `source` to `target` (started with `-incoming defer -S`) through a socket
/// at `path`, and lets the target run after both sides have completed. The source stays stopped.
void migrate(qemu_process& source, qemu_process& target, const std::filesystem::path& path);

} // namespace drover::guest_test
