// The pause of a hundred VMs over SSH links beside process links, both ways round in one run: how
// much longer it is, by the median. Not a test: what else the machine does shows in it.
#include "tests/support/run_program.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace {

using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

constexpr double ratio_max = 1.3;

/// Pauses in milliseconds; empty when the run failed.
std::vector<double> play(const std::string& file) {
  const auto ended = run_program({DROVER_PROGRAM, "run", file, "-o", "json"}, 300s);
  std::vector<double> pauses;
  if (ended.exit_code != 0) {
    std::fprintf(
      stderr, "%s ended with %d\n%s%s", file.c_str(), ended.exit_code, ended.out.c_str(),
      ended.err.c_str());
    return pauses;
  }
  const auto result = json::parse(ended.out);
  for (const auto& one : result.at("migrations"))
    pauses.push_back(one.at("pause_s").get<double>() * 1000);
  std::sort(pauses.begin(), pauses.end());
  return pauses;
}

double median(const std::vector<double>& sorted) { return sorted[(sorted.size() - 1) / 2]; }

} // namespace

int main() {
  const temporary_directory directory;
  std::ifstream from{DROVER_SCENARIOS "/local/hundred.json"};
  auto scenario = json::parse(from);
  scenario["worlds"] = {"local"};
  std::map<std::string, std::string> files;
  for (const auto* link : {"process", "ssh"}) {
    scenario["cluster"]["link"] = link;
    files[link] = (directory.path() / link).string() + ".json";
    std::ofstream{files[link]} << scenario;
  }
  std::map<std::string, std::vector<double>> all;
  std::printf("%-8s %6s %8s %8s %8s\n", "link", "VMs", "p50 ms", "p90 ms", "max ms");
  for (const auto* link : {"process", "ssh", "ssh", "process"}) {
    const auto pauses = play(files[link]);
    if (pauses.empty())
      return EXIT_FAILURE;
    std::printf(
      "%-8s %6zu %8.2f %8.2f %8.2f\n", link, pauses.size(), median(pauses),
      pauses[pauses.size() * 9 / 10], pauses.back());
    std::fflush(stdout);
    all[link].insert(all[link].end(), pauses.begin(), pauses.end());
  }
  for (auto& [link, pauses] : all)
    std::sort(pauses.begin(), pauses.end());
  const auto ratio = median(all["ssh"]) / median(all["process"]);
  std::printf(
    "the median pause over ssh is %.2f times that over processes (at most %.1f is wanted)\n", ratio,
    ratio_max);
  return ratio <= ratio_max ? EXIT_SUCCESS : EXIT_FAILURE;
}
