// drover beside others on the same guests, in one run: the sides turn and turn about, and what is
// told are medians over the rounds and their ratios. Not a test: see README.md.
#include "tests/bench/interruption.hpp"
#include "tests/bench/memory.hpp"
#include "tests/bench/scale.hpp"
#include "tests/bench/sides.hpp"
#include "tests/bench/table.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace drover::bench {
namespace {

using nlohmann::ordered_json;

struct wishes {
  std::vector<int> vms{10, 100};
  std::vector<std::string> streams{"1", "2", "4"};
  std::vector<std::string> sides;
  bool whole_grid = false;
  int rounds = 5;
  std::string out;
  std::string before;
};

std::vector<std::string> present_sides(const std::vector<std::string>& wanted) {
  std::vector<std::string> present;
  for (const auto& side : side_names()) {
    const bool is_wanted =
      wanted.empty() || std::find(wanted.begin(), wanted.end(), side) != wanted.end();
    if (!is_wanted)
      continue;
    if (const auto why = absence_of(side))
      say("skipped: " + side + ": " + *why);
    else
      present.push_back(side);
  }
  return present;
}

ordered_json measure(const bench_point& at, const std::vector<std::string>& sides, int rounds) {
  std::map<std::string, std::vector<round_figures>> played;
  for (int round = 0; round < rounds; ++round) {
    // Each goes first as often, so that what the machine does meanwhile hits all.
    auto order = sides;
    std::rotate(
      order.begin(), order.begin() + round % static_cast<std::ptrdiff_t>(sides.size()),
      order.end());
    for (const auto& side : order)
      played[side].push_back(play(side, at));
  }
  ordered_json told{{"vms", at.vms}, {"streams", at.streams}, {"rounds", rounds}};
  for (const auto& side : sides) {
    told["sides"][side] = medians(at.vms, played[side]);
    say(table_row(at.vms, at.streams, side, told["sides"][side]));
  }
  for (const auto& side : sides)
    if (side != sides.front()) {
      told["ratios"][side] = ratios(told["sides"][side], told["sides"][sides.front()]);
      say(ratio_row(side + "/" + sides.front(), told["ratios"][side]));
    }
  return told;
}

ordered_json earlier_points(const std::string& path) {
  if (path.empty())
    return ordered_json::array();
  std::ifstream file{path};
  const auto told = ordered_json::parse(file, nullptr, false);
  if (!told.is_object() || !told.contains("points"))
    throw std::runtime_error(path + ": this is no result of an earlier run (--json)");
  return told.at("points");
}

/// More streams than VMs are as many as there are.
bool is_worth_it(const std::string& streams, int vms, const std::vector<std::string>& all) {
  const bool is_number = streams != "all" && streams != "default";
  return !is_number || std::stoi(streams) <= vms || streams == all.front();
}

void keep(const std::string& path, const std::string& what, const ordered_json& figures) {
  if (!path.empty())
    std::ofstream{path} << ordered_json{{what, figures}}.dump(2) << "\n";
}

void compare(wishes w) {
  if (w.whole_grid) {
    w.vms = {1, 10, 100, 200};
    w.streams = {"1", "2", "4", "8", "all"};
  }
  const auto before = earlier_points(w.before);
  const auto sides = present_sides(w.sides);
  if (sides.empty())
    throw std::runtime_error("no side can play here");
  say(table_head());
  auto points = ordered_json::array();
  for (const int vms : w.vms)
    for (const auto& streams : w.streams)
      if (is_worth_it(streams, vms, w.streams)) {
        points.push_back(measure({vms, streams}, sides, w.rounds));
        keep(w.out, "points", points); // Whatever the next point meets.
      }
  for (const auto& line : changes(points, before))
    say(line);
}

const CLI::Validator stream_word{
  [](std::string& word) {
    const bool is_number =
      !word.empty() && word.size() < 5 && word.front() != '0' &&
      std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    return is_number || word == "all" || word == "default"
             ? std::string{}
             : "expected a number, \"all\" or \"default\", found \"" + word + "\"";
  },
  "NUMBER|all|default", "stream_word"};

} // namespace
} // namespace drover::bench

int main(int argc, char** argv) {
  using namespace drover::bench;
  wishes w;
  CLI::App app{
    "drover beside a bare driver: pauses, speed and processor time, as medians and ratios"};
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.add_option("--vms", w.vms, "how many VMs, e.g. 1,10,100,200")
    ->delimiter(',')
    ->check(CLI::Range(1, 2000));
  app.add_option("--streams", w.streams, "memory streams at a time, e.g. 1,2,4,8,all,default")
    ->delimiter(',')
    ->check(stream_word);
  app.add_flag("--full", w.whole_grid, "1,10,100,200 VMs by 1,2,4,8,all streams");
  app.add_option("--sides", w.sides, "who plays; all that can, if nothing is said")
    ->delimiter(',')
    ->check(CLI::IsMember(side_names()));
  app.add_option("--rounds", w.rounds, "of each side at each point")->check(CLI::Range(1, 100));
  app.add_option("--json", w.out, "write the figures there");
  app.add_option("--compare", w.before, "what --json wrote earlier")->check(CLI::ExistingFile);
  const auto* scale =
    app.add_subcommand("scale", "500 VMs run, 100 or 250 leave one of four nodes");
  const auto* memory =
    app.add_subcommand("memory", "kB for each migration that waits, and each VM that is kept");
  CLI11_PARSE(app, argc, argv);
  try {
    end_all_when_interrupted();
    if (scale->parsed())
      keep(w.out, "scale", measure_scale({}, w.rounds));
    else if (memory->parsed())
      keep(w.out, "memory", measure_memory({}));
    else
      compare(w);
    return EXIT_SUCCESS;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}
