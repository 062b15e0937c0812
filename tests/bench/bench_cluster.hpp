// A cluster on this machine whose VMs are beacons that nobody watches: what every side of a
// comparison moves. Rule: started by drover in all cases, so the guests and their QEMUs' words are
// the same; every process has the directory in its command line and ends with it.
#pragma once

#include "tests/bench/interruption.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/test_sshd.hpp"

#include <optional>
#include <string>
#include <vector>

namespace drover::bench {

enum class bench_link : std::uint8_t { process, ssh };

enum class bench_machines : std::uint8_t {
  qemu,
  /// Agents whose machines are numbers, all of them running: for more VMs than a machine can run.
  numbers,
};

struct bench_guests {
  std::vector<int> on_nodes{10, 0}; ///< how many VMs node n1, n2, ... has
  bench_machines machines = bench_machines::qemu;
};

class bench_cluster {
public:
  /// Throws when a VM does not start.
  explicit bench_cluster(bench_guests guests, bench_link link = bench_link::process);
  ~bench_cluster();
  bench_cluster(const bench_cluster&) = delete;
  bench_cluster& operator=(const bench_cluster&) = delete;

  std::vector<std::string> drover(std::vector<std::string> words) const;
  std::string run_dir(const std::string& node) const;
  std::size_t node_count() const { return guests_.on_nodes.size(); }
  /// What only this cluster's processes have in their command lines.
  std::string mark() const { return directory_.path().string(); }
  /// Processes that serve its links and run all the time.
  std::vector<pid_t> servers() const;

private:
  std::vector<std::string> write_nodes();
  void write_cluster_file() const;
  std::string config_of(int vm) const;

  bench_guests guests_;
  std::vector<std::string> nodes_;
  testing::temporary_directory directory_;
  noted_directory noted_{directory_.path()};
  std::optional<testing::test_sshd> sshd_;
  std::optional<noted_directory> noted_sshd_;
};

} // namespace drover::bench
