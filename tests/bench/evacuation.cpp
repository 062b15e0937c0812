#include "tests/bench/evacuation.hpp"

#include <algorithm>
#include <stdexcept>

namespace drover::bench {

using namespace std::chrono_literals;
using nlohmann::json;

json parsed(const testing::finished_program& ended, const std::string& who) {
  auto told = json::parse(ended.out, nullptr, false);
  if (ended.exit_code != 0 || !told.is_object())
    throw std::runtime_error(
      who + " ended with " + std::to_string(ended.exit_code) + ": " + ended.err);
  return told;
}

round_figures evacuate(const bench_cluster& cluster, const std::vector<std::string>& words) {
  const qemu_use qemus{cluster.mark()};
  const double ended_before = processor_seconds_of_ended_children();
  std::vector<std::string> argv{"evacuate", "n1", "-o", "json"};
  argv.insert(argv.end(), words.begin(), words.end());
  testing::running_program running{cluster.drover(argv)};
  resource_use used{running.pid(), cluster.servers(), cluster.node_count()};
  running.wait_until([](const auto&) { return false; }, 600s);
  round_figures figures;
  figures.used = used.end();
  figures.qemu_s = qemus.end_s();
  const auto told = parsed(running.finish(10s), "drover");
  // What a controller waited for is its agents and what they have waited for in their turn: the
  // QEMU that each asks once what it can do.
  const double waited = processor_seconds_of_ended_children() - ended_before;
  figures.qemu_s += std::max(0.0, waited - figures.used.controller_s - figures.used.agents_s);
  figures.makespan_s = told.at("duration_s");
  for (const auto& one : told.at("migrations"))
    figures.pauses_s.push_back(one.at("pause_s"));
  return figures;
}

} // namespace drover::bench
