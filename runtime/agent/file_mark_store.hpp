// The marks as files `<run dir>/<vmid>.epoch`, JSON {run, voided, seen, barrier, paused}. Rule: a
// file is replaced in one step (write aside, rename) and never synced: the run directory is memory
// (tmpfs) and has to survive the agent only, because after a reboot no QEMU is left to be fenced.
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
