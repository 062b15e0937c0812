// The marks as files `<run dir>/<vmid>.epoch`, JSON {run, voided, seen, barrier, paused}. Rule: a
// file changes in one step and is never synced: it has to survive the agent only, because after a
// reboot no QEMU is left to be fenced. One of these steps lies in every pause. So a file that is
// as long as before, which it nearly always is, is written over in one call, 3 us anywhere; a new
// one is written aside and renamed, which is as cheap on a tmpfs, but takes a disk 0.1 to 4 ms.
#pragma once

#include "runtime/agent/run_marks.hpp"

#include <filesystem>

namespace drover {

class file_mark_store : public mark_store {
public:
  explicit file_mark_store(std::filesystem::path run_dir);

  result<std::map<vm_id, run_marks>> load() override;
  result<done> save(vm_id vm, const run_marks& marks) override;
  result<done> forget(vm_id vm) override;

private:
  std::filesystem::path run_dir_;
};

} // namespace drover
