// A small cluster that outlives the commands run on it: cluster file, store, VM configs, beacons.
// Rule: every process of the lab has the lab's directory in its command line and ends with it.
#pragma once

#include "runtime/guest/beacon_watcher.hpp"
#include "tests/support/run_program.hpp"

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace drover::testing {

struct lab_vm {
  std::uint32_t number = 100;
  std::string node = "n1";
  std::uint32_t working_set_pages = 64;
  std::uint32_t pages_per_beat = 1;
  std::uint32_t migrate_speed_mb = 0;
};

class lab {
public:
  /// Puts the configs where the store has them; absent: into the directory "store" of the lab.
  using config_writer = std::function<void(const lab_vm& vm, const std::string& text)>;

  /// Nodes n1, n2, n3 of 1 GiB each. `store` is the cluster file's.
  explicit lab(const std::vector<lab_vm>& vms);
  lab(const std::vector<lab_vm>& vms, const nlohmann::json& store, const config_writer& write);
  ~lab();

  std::vector<std::string> command(std::vector<std::string> words) const;
  finished_program run(std::vector<std::string> words, std::chrono::seconds patience) const;
  nlohmann::json run_json(std::vector<std::string> words, std::chrono::seconds patience) const;
  void start_all();

  const std::filesystem::path& directory() const { return directory_.path(); }
  std::string cluster_file() const { return (directory() / "lab.json").string(); }
  std::string config_path(const std::string& node, std::uint32_t vm) const;
  /// The processes of the lab that still let everybody else go first (`urgency.hpp`), each with
  /// the kernel's words for it.
  std::vector<std::string> low_processes() const;
  beacon_watcher& beacons() { return *beacons_; }
  const std::vector<lab_vm>& vms() const { return vms_; }

private:
  std::vector<lab_vm> vms_;
  temporary_directory directory_;
  std::unique_ptr<beacon_watcher> beacons_;
};

} // namespace drover::testing
