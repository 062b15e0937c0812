// A cluster of two nodes on this machine whose VMs are beacons that nobody watches: what both
// sides of a comparison move. Rule: started by drover in both cases, so the guests and their QEMUs'
// words are the same; every process has the directory in its command line and ends with it.
#pragma once

#include "tests/support/run_program.hpp"

#include <string>
#include <vector>

namespace drover::bench {

struct bench_guests {
  int count = 10;
  std::uint32_t memory_kib = 2048;
};

class bench_cluster {
public:
  /// Throws when a VM does not start.
  explicit bench_cluster(const bench_guests& guests);
  ~bench_cluster();
  bench_cluster(const bench_cluster&) = delete;
  bench_cluster& operator=(const bench_cluster&) = delete;

  std::vector<std::string> drover(std::vector<std::string> words) const;
  std::string run_dir(const std::string& node) const;

private:
  testing::temporary_directory directory_;
};

} // namespace drover::bench
