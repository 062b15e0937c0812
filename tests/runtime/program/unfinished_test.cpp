#include "runtime/program/unfinished.hpp"

#include <catch2/catch.hpp>

using namespace drover;

namespace {

wire::vm_entry entry(std::uint32_t vm, wire::run_state state) {
  wire::vm_entry e;
  e.vm = vm_id{vm};
  e.state = state;
  e.config_here = true;
  return e;
}

std::vector<std::string> said(const std::map<node_id, wire::vm_list>& lists) {
  std::vector<std::string> texts;
  for (const auto& f : unfinished_of(lists))
    texts.push_back(to_string(f.vm) + " " + f.what);
  return texts;
}

} // namespace

TEST_CASE("settled VMs leave nothing to say", "[unfinished]") {
  auto stopped = entry(101, wire::run_state::absent);
  CHECK(said({{node_id{"n1"}, {{entry(100, wire::run_state::running), stopped}, ""}}}).empty());
}

TEST_CASE("what an interrupted handover leaves is named", "[unfinished]") {
  auto source = entry(100, wire::run_state::postmigrate);
  source.lock = "migrate";
  source.record = record_state::moving;
  source.record_epoch = epoch{4};
  source.record_source = node_id{"n1"};
  source.record_target = node_id{"n2"};
  auto target = entry(100, wire::run_state::incoming);
  target.config_here = false;
  const auto texts = said({{node_id{"n1"}, {{source}, ""}}, {node_id{"n2"}, {{target}, ""}}});
  CHECK(
    texts == std::vector<std::string>{
               "100 a paused copy from before a migration is left on n1",
               "100 its config on n1 is locked: migrate",
               "100 a copy on n2 waits for a migration to end",
               "100 its handover of epoch 4 from n1 to n2 is not settled"});
}

TEST_CASE("a VM that runs twice or away from its config is named", "[unfinished]") {
  auto foreign = entry(100, wire::run_state::running);
  foreign.config_here = false;
  const auto texts = said(
    {{node_id{"n1"}, {{entry(100, wire::run_state::running)}, ""}},
     {node_id{"n2"}, {{foreign}, ""}}});
  CHECK(
    texts == std::vector<std::string>{
               "100 runs on n2, but its config is elsewhere", "100 runs on 2 nodes at once"});
}
