// A node behind an sshd of the test's own, and the cluster file that names it. Rule: everything of
// it lies in one directory and ends with it; what is taken from README.md is taken literally.
#pragma once

#include "tests/support/run_program.hpp"
#include "tests/support/test_sshd.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace drover::testing {

class ssh_lab {
public:
  /// Node n1 with an empty known_hosts.
  ssh_lab();
  ~ssh_lab();

  finished_program run(std::vector<std::string> words) const;
  std::string known_hosts() const { return (directory_.path() / "known_hosts").string(); }
  /// "SHA256:..." of the host key, as ssh-keygen prints it.
  std::string fingerprint() const;
  void change_host_key();
  /// A member of the cluster file, by its JSON pointer.
  void set(const std::string& pointer, const std::string& value);
  /// The key may do nothing but this command.
  void restrict_login(const std::string& forced_command);

  /// The directory of a scenario that `program` plays, by the sshds that it has started; other
  /// runs on this machine have their own.
  static std::string room_of(pid_t program);
  /// Network namespaces and interfaces of a scenario that still exist.
  static std::vector<std::string> networks(const std::string& room);

private:
  void write() const;

  temporary_directory directory_;
  test_sshd sshd_;
  nlohmann::json cluster_;
};

/// The command in README.md's line for authorized_keys.
std::string readme_forced_command();

} // namespace drover::testing
