// drover beside a bare driver, on the same guests, in one run: both sides turn and turn about, and
// what is told are medians over the rounds and their ratios. Not a test: see README.md.
#include "tests/bench/bench_cluster.hpp"
#include "tests/bench/processor_time.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace drover::bench {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using nlohmann::ordered_json;

/// As drover does without a word about it: migrations that are prepared or stream.
constexpr int prepared_usually = 8;

struct point {
  int vms = 100;
  int streams = 2;
};

/// One round of one side, in seconds.
struct figures {
  std::vector<double> pauses;
  double makespan = 0;
  double processor_time = 0;
};

double quantile(std::vector<double> values, double share) {
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(values.size()) + 0.999999);
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

json parsed(const testing::finished_program& ended, const std::string& side) {
  auto told = json::parse(ended.out, nullptr, false);
  if (ended.exit_code != 0 || !told.is_object())
    throw std::runtime_error(
      side + " ended with " + std::to_string(ended.exit_code) + ": " + ended.err);
  return told;
}

int prepared_for(const point& at) { return std::max(prepared_usually, at.streams); }

figures play_bare(const point& at) {
  const bench_cluster cluster{{at.vms}};
  const auto told = parsed(
    testing::run_program(
      {DROVER_BARE_DRIVER, cluster.run_dir("n1"), cluster.run_dir("n2"), std::to_string(at.streams),
       std::to_string(prepared_for(at))},
      600s),
    "the bare driver");
  return {told.at("pauses_s"), told.at("makespan_s"), told.at("cpu_s")};
}

figures play_drover(const point& at) {
  const bench_cluster cluster{{at.vms}};
  testing::running_program running{cluster.drover(
    {"evacuate", "n1", "--to", "n2", "-o", "json", "--max-streams", std::to_string(at.streams),
     "--max-prepare", std::to_string(prepared_for(at))})};
  processor_time used{running.pid()};
  const auto ended = running.finish(600s);
  const double seconds = used.end_s();
  const auto told = parsed(ended, "drover");
  figures f{{}, told.at("duration_s"), seconds};
  for (const auto& one : told.at("migrations"))
    f.pauses.push_back(one.at("pause_s"));
  return f;
}

/// Of the rounds: the median of each figure.
ordered_json medians(const point& at, const std::vector<figures>& rounds) {
  std::map<std::string, std::vector<double>> all;
  for (const auto& f : rounds) {
    all["pause_p50_ms"].push_back(quantile(f.pauses, 0.5) * 1000);
    all["pause_p99_ms"].push_back(quantile(f.pauses, 0.99) * 1000);
    all["pause_max_ms"].push_back(quantile(f.pauses, 1) * 1000);
    all["makespan_s"].push_back(f.makespan);
    all["migrations_per_s"].push_back(at.vms / f.makespan);
    all["cpu_ms_per_migration"].push_back(f.processor_time * 1000 / at.vms);
  }
  ordered_json told;
  for (const auto& [name, values] : all)
    told[name] = quantile(values, 0.5);
  return told;
}

void print_row(const point& at, const std::string& side, const ordered_json& f) {
  const auto number = [&f](const char* name) { return f.at(name).get<double>(); };
  fmt::print(
    "{:>5} {:>8} {:<8} {:>8.2f} {:>8.2f} {:>8.2f} {:>9.2f} {:>8.1f} {:>8.2f}\n", at.vms, at.streams,
    side, number("pause_p50_ms"), number("pause_p99_ms"), number("pause_max_ms"),
    number("makespan_s"), number("migrations_per_s"), number("cpu_ms_per_migration"));
  std::fflush(stdout);
}

/// Drover's figure over the bare driver's.
ordered_json ratios(const ordered_json& bare, const ordered_json& ours) {
  ordered_json told;
  for (const auto* name : {"pause_p50_ms", "pause_p99_ms", "migrations_per_s"})
    told[name] = ours.at(name).get<double>() / bare.at(name).get<double>();
  return told;
}

ordered_json measure(const point& at, int rounds) {
  std::vector<figures> bare;
  std::vector<figures> ours;
  for (int round = 0; round < rounds; ++round) {
    // Either goes first as often, so that what the machine does meanwhile hits both.
    if (round % 2 == 1)
      ours.push_back(play_drover(at));
    bare.push_back(play_bare(at));
    if (round % 2 == 0)
      ours.push_back(play_drover(at));
  }
  ordered_json told{{"vms", at.vms}, {"streams", at.streams}, {"rounds", rounds}};
  told["bare"] = medians(at, bare);
  told["drover"] = medians(at, ours);
  told["ratio"] = ratios(told["bare"], told["drover"]);
  print_row(at, "bare", told["bare"]);
  print_row(at, "drover", told["drover"]);
  fmt::print(
    "{:>5} {:>8} {:<8} {:>8.2f} {:>8.2f} {:>27.2f}\n", "", "", "ratio",
    told["ratio"]["pause_p50_ms"].get<double>(), told["ratio"]["pause_p99_ms"].get<double>(),
    told["ratio"]["migrations_per_s"].get<double>());
  return told;
}

void print_change(const ordered_json& now, const json& before) {
  for (const auto& old : before)
    for (const auto& one : now)
      if (old.at("vms") == one.at("vms") && old.at("streams") == one.at("streams"))
        fmt::print(
          "{} VMs, {} streams: pause ratio {:.2f}, before {:.2f}; migrations/s ratio {:.2f}, "
          "before {:.2f}\n",
          one.at("vms").get<int>(), one.at("streams").get<int>(),
          one.at("ratio").at("pause_p50_ms").get<double>(),
          old.at("ratio").at("pause_p50_ms").get<double>(),
          one.at("ratio").at("migrations_per_s").get<double>(),
          old.at("ratio").at("migrations_per_s").get<double>());
}

struct wishes {
  std::vector<int> vms{1, 10, 100};
  std::vector<int> streams{1, 2, 4, 8};
  int rounds = 5;
  std::string out;
  std::string before;
};

int compare(const wishes& w) {
  json before = json::array();
  if (!w.before.empty()) {
    std::ifstream file{w.before};
    before = json::parse(file, nullptr, false);
    if (!before.is_array())
      throw std::runtime_error(w.before + ": this is no result of an earlier run (--json)");
  }
  fmt::print(
    "{:>5} {:>8} {:<8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8}\n", "VMs", "streams", "side", "p50 ms",
    "p99 ms", "max ms", "all in s", "VMs/s", "CPU ms");
  auto all = ordered_json::array();
  for (const int vms : w.vms)
    for (const int streams : w.streams)
      if (streams <= vms || streams == w.streams.front())
        all.push_back(measure({vms, std::min(streams, vms)}, w.rounds));
  if (!w.out.empty())
    std::ofstream{w.out} << all.dump(2) << "\n";
  print_change(all, before);
  return EXIT_SUCCESS;
}

} // namespace
} // namespace drover::bench

int main(int argc, char** argv) {
  drover::bench::wishes w;
  CLI::App app{
    "drover beside a bare driver: pauses, speed and processor time, as medians and ratios"};
  app.add_option("--vms", w.vms, "how many VMs, e.g. 1,10,100,200")->delimiter(',');
  app.add_option("--streams", w.streams, "memory streams at a time, e.g. 1,2,4,8")->delimiter(',');
  app.add_option("--rounds", w.rounds, "of each side at each point")->check(CLI::Range(1, 100));
  app.add_option("--json", w.out, "write the medians and ratios there");
  app.add_option("--compare", w.before, "what --json wrote earlier")->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);
  try {
    return drover::bench::compare(w);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}
