// What an agent that sshd starts by a forced command does for whoever logged in. Rule: pure; of the
// command that was asked for only these words count, and everything else of it is ignored: node,
// store and directories are those of authorized_keys.
#pragma once

#include <string_view>

namespace drover {

struct asked_words {
  bool observe = false;
  bool check = false;
};

/// `original_command` is SSH_ORIGINAL_COMMAND.
asked_words read_asked_words(std::string_view original_command);

} // namespace drover
