// The agent's end of a stream's relay. Rule: started before anything of the stream stands, and left
// alone once everything does.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/machine_process.hpp"

#include <filesystem>
#include <string>

namespace drover {

struct new_relay {
  new_process process;
  unique_fd control;
};

/// `program` is one that serves `--relay`; `about` is told to those who look at the processes of
/// the host. Blocks as `start_process` does.
result<new_relay> start_relay(const std::string& program, const std::filesystem::path& about);

/// One connection: QEMU's end and the network's. They are the relay's from here on.
result<void> hand_to_relay(const unique_fd& control, unique_fd inner, unique_fd outer);
/// All stand: the relay needs its agent no more.
void complete_relay(unique_fd control);

} // namespace drover
