// Random clusters: what must hold of every plan.
#include "actors/evacuation/plan.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace drover;

namespace {

/// splitmix64: the same numbers on every platform.
class dice {
public:
  explicit dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t n) {
    state_ += 0x9e3779b97f4a7c15ULL;
    auto z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return (z ^ (z >> 31U)) % n;
  }

private:
  std::uint64_t state_;
};

plan_request random_request(dice& luck) {
  plan_request r;
  const auto nodes = 2 + luck.below(5);
  for (std::uint64_t i = 1; i <= nodes; ++i) {
    plan_node n;
    n.node = node_id{"n" + std::to_string(i)};
    n.memory_bytes = 20 + luck.below(100);
    n.reserve_bytes = luck.below(10);
    n.used_bytes = luck.below(60);
    n.incoming_bytes = luck.below(10);
    if (luck.below(8) == 0)
      n.cordon = "somebody";
    if (luck.below(8) == 0)
      n.unreachable = "down";
    if (i > 1 && luck.below(4) == 0)
      r.targets.insert(n.node);
    r.nodes.push_back(n);
  }
  r.source = node_id{"n1"};
  const auto vms = luck.below(30);
  for (std::uint64_t i = 0; i < vms; ++i) {
    wire::vm_entry v;
    v.vm = vm_id{static_cast<std::uint32_t>(100 + i)};
    v.config_here = luck.below(20) != 0;
    v.state = luck.below(6) == 0 ? wire::run_state::absent : wire::run_state::running;
    v.memory_bytes = 1 + luck.below(12);
    if (luck.below(12) == 0)
      v.lock = "backup";
    r.vms.push_back(v);
  }
  return r;
}

void shuffle(std::vector<plan_node>& nodes, dice& luck) {
  for (std::size_t i = nodes.size(); i > 1; --i)
    std::swap(nodes[i - 1], nodes[luck.below(i)]);
}

} // namespace

TEST_CASE("no plan overfills a node, loses a VM or uses a node that it may not") {
  std::size_t feasible = 0;
  std::size_t infeasible = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    dice luck(seed);
    const auto r = random_request(luck);
    const auto p = make_plan(r);
    REQUIRE(p.has_value());
    (p->feasible ? feasible : infeasible) += 1;

    std::set<vm_id> told;
    for (const auto& s : p->stays) {
      CHECK(told.insert(s.vm).second);
      CHECK_FALSE(s.reason.empty());
    }
    std::map<node_id, std::uint64_t> arriving;
    for (const auto& s : p->steps) {
      CHECK(told.insert(s.vm).second);
      CHECK(s.source == r.source);
      arriving[s.target] += s.bytes;
    }
    CHECK(told.size() == r.vms.size());

    const bool lacks_room = std::any_of(
      p->stays.begin(), p->stays.end(), [](const auto& s) { return s.kind == stay_kind::no_room; });
    CHECK(p->feasible == !lacks_room);
    if (!p->feasible)
      CHECK(p->steps.empty());

    for (const auto& n : r.nodes) {
      if (arriving[n.node] == 0)
        continue;
      CHECK(n.node != r.source);
      CHECK(n.cordon.empty());
      CHECK(n.unreachable.empty());
      CHECK((r.targets.empty() || r.targets.contains(n.node)));
      CHECK(n.used_bytes + n.incoming_bytes + n.reserve_bytes + arriving[n.node] <= n.memory_bytes);
    }
  }
  CHECK(feasible > 300);
  CHECK(infeasible > 300);
}

TEST_CASE("the same cluster gives the same plan in whatever order it is listed") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    dice luck(seed);
    auto r = random_request(luck);
    const auto p = make_plan(r);
    shuffle(r.nodes, luck);
    std::reverse(r.vms.begin(), r.vms.end());
    CHECK(make_plan(r) == p);
  }
}
