// Asks the person at the terminal for the passphrase of a key. Rule: only where there is a
// terminal; what is typed is not shown, and is wiped by whoever holds the secret.
#pragma once

#include "runtime/link/ssh/ssh_shared.hpp"

namespace drover {

/// Empty where standard input or standard error is no terminal: nobody would see the question.
ask_passphrase passphrase_prompt();

} // namespace drover
