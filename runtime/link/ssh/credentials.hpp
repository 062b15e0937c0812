// Looks up what a login needs before it connects: the host's known keys, and the key to log in
// with. Rule: nothing is asked of a person that the ssh-agent can answer, and nothing of either
// while a connection waits: sshd's grace time and its MaxStartups count from connecting.
//
//   read files --> plain identity ------------------------------------> found
//              \-> encrypted identity --> agent has it ---------------> found (it signs)
//              \                     \--> passphrase asked for -------> found
//              \-> no identity -------> agent's keys -----------------> found (it signs)
#pragma once

#include "runtime/link/ssh/agent_client.hpp"
#include "runtime/link/ssh/host_files.hpp"
#include "runtime/link/ssh/ssh_shared.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace drover::ssh {

struct credentials {
  std::vector<known_key> known;         ///< of the host
  std::shared_ptr<const key_file> file; ///< null when the agent chooses the key
  ssh_shared::passphrase passphrase;    ///< of an encrypted file
  std::shared_ptr<agent_client> agent;  ///< null when the file signs
  std::vector<std::string> agent_keys;  ///< to try, in this order
};

class credential_search : public std::enable_shared_from_this<credential_search> {
public:
  using found = std::function<void(result<credentials>)>;

  credential_search(
    std::shared_ptr<ssh_shared> shared, const ssh_link_settings& settings, found tell);

  void begin();
  /// Nothing is told any more.
  void cancel();

private:
  struct files {
    std::vector<known_key> known;
    std::shared_ptr<const key_file> identity;
  };
  static result<files> read_files(const ssh_link_settings& settings);
  void files_read(result<files> read);
  void ask_agent();
  void agent_answered(const result<std::string>& answer);
  void ask_person();
  void end(result<credentials> outcome);

  std::shared_ptr<ssh_shared> shared_;
  ssh_link_settings settings_;
  found tell_;
  credentials credentials_;
};

} // namespace drover::ssh
