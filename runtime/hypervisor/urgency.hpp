// Who has the processor while a receiving QEMU starts: everybody else. Its start costs 30 to 45 ms
// of a core, and on a busy node that would lie in the pauses of the VMs whose turn it is. Rule: a
// process is lowered only where this one may raise it again, and is raised before memory comes in.
//
// Where the kernel shares the processor between sessions first (sched(7), "The autogroup feature";
// Debian's default), a thread's own policy counts within its session only, so the session is
// lowered too: the process has to be its leader.
#pragma once

#include <sys/types.h>

namespace drover {

enum class urgency { usual, low };

/// The process, which was started a moment ago, runs only where nothing else wants to. Does nothing
/// where that could not be taken back (which needs CAP_SYS_NICE or RLIMIT_NICE). Returns how it
/// runs now.
urgency let_others_go_first(pid_t pid);

/// Takes `let_others_go_first` back, for all threads of the process.
void run_as_usual(pid_t pid);

} // namespace drover
