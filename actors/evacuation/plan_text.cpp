#include "actors/evacuation/plan_text.hpp"

#include "runtime/cluster/byte_size.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

namespace drover {
namespace {

/// A table whose columns are as wide as their widest cell; the last one is not padded.
class text_table {
public:
  explicit text_table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  void write_to(std::string& out) const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_)
      for (std::size_t i = 0; i < row.size(); ++i)
        widths[i] = std::max(widths[i], row[i].size());
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i + 1 < row.size(); ++i)
        fmt::format_to(std::back_inserter(out), "{:<{}}  ", row[i], widths[i]);
      fmt::format_to(std::back_inserter(out), "{}\n", row.back());
    }
  }

private:
  std::vector<std::vector<std::string>> rows_;
};

std::string headline(const plan& p) {
  if (!p.feasible)
    return fmt::format("{} cannot be evacuated: nothing was moved\n", p.source.value);
  return fmt::format(
    "evacuation of {}, policy {}: {} to move ({}), {} to stay\n", p.source.value, to_string(p.how),
    p.steps.size(), format_byte_size(bytes_to_move(p)), p.stays.size());
}

} // namespace

std::string plan_table(const plan& p) {
  std::string out = headline(p);
  if (!p.steps.empty()) {
    text_table moves({"VMID", "NAME", "MEMORY", "TARGET"});
    for (const auto& s : p.steps)
      moves.add({to_string(s.vm), s.name, format_byte_size(s.bytes), s.target.value});
    out += '\n';
    moves.write_to(out);
  }
  if (!p.stays.empty()) {
    text_table stays({"VMID", "NAME", "MEMORY", "STAYS BECAUSE"});
    for (const auto& s : p.stays)
      stays.add({to_string(s.vm), s.name, format_byte_size(s.bytes), s.reason});
    out += '\n';
    stays.write_to(out);
  }
  if (!p.excluded.empty()) {
    text_table excluded({"NODE", "NOT A TARGET BECAUSE"});
    for (const auto& n : p.excluded)
      excluded.add({n.node.value, n.reason});
    out += '\n';
    excluded.write_to(out);
  }
  text_table nodes({"NODE", "MEMORY", "RESERVED", "GUESTS BEFORE", "AFTER"});
  for (const auto& n : p.memory)
    nodes.add(
      {n.node.value, format_byte_size(n.memory_bytes), format_byte_size(n.reserve_bytes),
       format_byte_size(n.before_bytes), format_byte_size(n.after_bytes)});
  out += '\n';
  nodes.write_to(out);
  return out;
}

nlohmann::ordered_json plan_json(const plan& p) {
  using json = nlohmann::ordered_json;
  auto steps = json::array();
  for (const auto& s : p.steps)
    steps.push_back(
      {{"vmid", s.vm.value},
       {"name", s.name},
       {"source", s.source.value},
       {"target", s.target.value},
       {"bytes", s.bytes}});
  auto stayed = json::array();
  for (const auto& s : p.stays)
    stayed.push_back(
      {{"vmid", s.vm.value},
       {"name", s.name},
       {"kind", to_string(s.kind)},
       {"reason", s.reason},
       {"bytes", s.bytes}});
  auto excluded = json::array();
  for (const auto& n : p.excluded)
    excluded.push_back({{"node", n.node.value}, {"reason", n.reason}});
  auto nodes = json::array();
  for (const auto& n : p.memory)
    nodes.push_back(
      {{"node", n.node.value},
       {"memory_bytes", n.memory_bytes},
       {"reserve_bytes", n.reserve_bytes},
       {"before_bytes", n.before_bytes},
       {"after_bytes", n.after_bytes}});
  return {
    {"source", p.source.value},    {"policy", to_string(p.how)},      {"feasible", p.feasible},
    {"exit_code", exit_code(p)},   {"bytes", bytes_to_move(p)},       {"steps", std::move(steps)},
    {"stayed", std::move(stayed)}, {"excluded", std::move(excluded)}, {"nodes", std::move(nodes)}};
}

} // namespace drover
