// What ten thousand migrations that wait cost the controller's actors, counted in the heap of this
// process, so that no other process and no allocator's habit shows in it.
#include "actors/actor_tree.hpp"
#include "tests/support/scripted_link.hpp"

#include <caf/scoped_actor.hpp>
#include <catch2/catch.hpp>
#include <iostream>
#include <malloc.h>
#include <unistd.h>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 60s;
constexpr std::uint32_t vm_count = 10'000;
constexpr double bytes_max = 20'000;

class silent_sink final : public trace_sink {
public:
  void take(const trace_event&) override {}
};

struct config : caf::actor_system_config {
  config() { configure_actors(*this); }
};

std::size_t bytes_in_use() {
  const auto heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

evacuation_order everybody_leaves() {
  evacuation_order order;
  for (std::uint32_t i = 0; i < vm_count; ++i)
    order.migrations.push_back(
      {vm_id{100 + i}, node_id{"n1"}, node_id{"n2"}, policy::ticket, "root@controller:4711",
       1 << 21, 3});
  return order;
}

} // namespace

TEST_CASE("ten thousand migrations that wait cost less than 20 kB each", "[actors]") {
  const surroundings around{std::make_shared<silent_sink>(), [] { return wall_time{}; }};
  config settings;
  caf::actor_system system{settings};
  caf::scoped_actor self{system};
  tree_settings nodes;
  nodes.controller = "root@controller:4711";
  nodes.id_prefix = "t";
  nodes.around = around;
  for (const auto& node : {node_id{"n1"}, node_id{"n2"}})
    nodes.nodes[node] = {
      std::make_shared<scripted_link>(
        node, [node](const wire::request& asked) { return good_answer(asked, node); }),
      8, 8, 2};
  const auto tree = spawn_actor_tree(system, nodes);
  const auto waiting = [&] {
    std::uint32_t count = 0;
    self->request(tree.locks, patience, ask_lock_usage{})
      .receive(
        [&](const lock_usage& usage) { count = usage.waiting; },
        [](const caf::error&) { FAIL("the lock manager does not answer"); });
    return count;
  };
  self->send(tree.locks, hold_grants{grants_hold::operator_pause});
  REQUIRE(waiting() == 0);

  const auto before = bytes_in_use();
  const auto job = spawn_evacuation(system, {tree.locks, tree.owners}, around);
  auto answer = self->request(job, patience, run_evacuation{everybody_leaves()});
  // Each question to the lock manager stands behind those that came before it.
  for (int looks = 0; looks < 1'000'000 && waiting() < vm_count; ++looks) {
  }
  REQUIRE(waiting() == vm_count);
  const double each =
    (static_cast<double>(bytes_in_use()) - static_cast<double>(before)) / vm_count;
  std::cout << "each of " << vm_count << " waiting migrations holds " << each / 1000 << " kB\n";
  CHECK(each < bytes_max);
  CHECK(each > 500); // Less than an actor's own size would mean that nothing was counted.

  self->send(job, cancel_evacuation{"seen"});
  answer.receive(
    [](const evacuation_report& report) { CHECK(report.migrations.size() == vm_count); },
    [](const caf::error&) { FAIL("no report"); });
  for (const auto& [node, owner] : tree.owners)
    self->send(owner, leave_node{});
}
