#include "tests/bench/table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fmt/format.h>

namespace drover::bench {

using nlohmann::ordered_json;

namespace {

struct column {
  const char* figure;
  const char* group;
  const char* title;
  int width;
  int digits;
};

constexpr std::array columns{
  column{"pause_p50_ms", "pause, ms:", "p50", 11, 2},
  column{"pause_p99_ms", "", "p99", 8, 2},
  column{"pause_max_ms", "", "max", 8, 2},
  column{"makespan_s", "", "all in s", 10, 2},
  column{"migrations_per_s", "", "VMs/s", 7, 1},
  column{"controller_cpu_ms", "CPU ms a VM:", "controller", 13, 2},
  column{"agents_cpu_ms", "", "agents", 8, 2},
  column{"qemu_cpu_ms", "", "QEMUs", 8, 1},
  column{"controller_peak_mib", "peak MiB:", "controller", 12, 1},
  column{"agent_peak_mib", "", "agent", 8, 1},
};

std::string name_cells(const std::string& vms, const std::string& streams, const std::string& who) {
  return fmt::format("{:>4} {:>8}  {:<19}", vms, streams, who);
}

std::string cells(const ordered_json& figures, int digits_at_most) {
  std::string line;
  for (const auto& one : columns)
    line += figures.contains(one.figure) ? fmt::format(
                                             "{:>{}.{}f}", figures.at(one.figure).get<double>(),
                                             one.width, std::max(one.digits, digits_at_most))
                                         : fmt::format("{:>{}}", "", one.width);
  return line;
}

/// What an operator asks first: the pause, the speed, the processor time.
constexpr std::array compared{"pause_p50_ms", "pause_p99_ms", "migrations_per_s", "qemu_cpu_ms"};

} // namespace

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

std::string table_head() {
  auto above = name_cells("", "", "");
  auto head = name_cells("VMs", "streams", "side");
  for (const auto& one : columns) {
    above += fmt::format("{:>{}}", one.group, one.width);
    head += fmt::format("{:>{}}", one.title, one.width);
  }
  return above + "\n" + head;
}

std::string table_row(
  int vms, const std::string& streams, const std::string& side, const ordered_json& medians) {
  const double failed = medians.value("failed", 0.0);
  const auto who = failed > 0 ? fmt::format("{}, {:.0f} failed", side, failed) : side;
  return name_cells(std::to_string(vms), streams, who) + cells(medians, 0);
}

std::string ratio_row(const std::string& name, const ordered_json& ratios) {
  ordered_json shown;
  for (const auto* figure : compared)
    if (ratios.contains(figure))
      shown[figure] = ratios.at(figure);
  return name_cells("", "", name) + cells(shown, 2);
}

std::vector<std::string> changes(const ordered_json& now, const ordered_json& before) {
  std::vector<std::string> lines;
  const auto number = [](const ordered_json& of, const char* figure) {
    return of.contains(figure) ? of.at(figure).get<double>() : 0.0;
  };
  for (const auto& one : now)
    for (const auto& old : before) {
      if (one.at("vms") != old.at("vms") || one.at("streams") != old.at("streams"))
        continue;
      for (const auto& [side, figures] : one.at("sides").items()) {
        if (!old.at("sides").contains(side))
          continue;
        const auto& then = old.at("sides").at(side);
        lines.push_back(
          name_cells(
            std::to_string(one.at("vms").get<int>()), one.at("streams").get<std::string>(), side) +
          fmt::format(
            "{:>9.2f} {:>7.2f}{:>11.1f} {:>7.1f}{:>11.2f} {:>7.2f}", number(then, "pause_p50_ms"),
            number(figures, "pause_p50_ms"), number(then, "migrations_per_s"),
            number(figures, "migrations_per_s"),
            number(then, "controller_cpu_ms") + number(then, "agents_cpu_ms"),
            number(figures, "controller_cpu_ms") + number(figures, "agents_cpu_ms")));
      }
    }
  if (!lines.empty())
    lines.insert(
      lines.begin(),
      {name_cells("", "", "then and now") +
         fmt::format("{:>17}{:>19}{:>19}", "p50 ms", "VMs/s", "CPU ms a VM"),
       name_cells("VMs", "streams", "side") +
         fmt::format(
           "{:>9} {:>7}{:>11} {:>7}{:>11} {:>7}", "then", "now", "then", "now", "then", "now")});
  return lines;
}

} // namespace drover::bench
