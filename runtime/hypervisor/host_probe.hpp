// What this host offers to any VM. Rule: asked of the kernel and the disk, never configured; the
// answers go as plain data into the pure code (launch.hpp).
#pragma once

#include "runtime/hypervisor/launch.hpp"

#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace drover {

/// /dev/kvm can be opened and speaks the one stable version of its interface; CPU flags do not
/// tell.
bool kvm_works();

/// Names of the bridges that this host has.
std::set<std::string> bridges_here();

/// Where the volumes of each storage are.
std::map<std::string, storage_root> storage_roots(
  const std::map<std::string, storage_path>& storages);

/// Makes the run directory, open to its owner only: whoever may open the control sockets owns the
/// guests. Returns its absolute path.
std::filesystem::path prepared_run_dir(const std::filesystem::path& dir);

} // namespace drover
