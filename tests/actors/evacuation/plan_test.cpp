#include "actors/evacuation/plan.hpp"
#include "actors/evacuation/plan_text.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

using namespace drover;

namespace {

constexpr std::uint64_t gib = 1ULL << 30U;

plan_node node(const std::string& name, std::uint64_t memory, std::uint64_t used = 0) {
  plan_node n;
  n.node = node_id{name};
  n.memory_bytes = memory;
  n.used_bytes = used;
  return n;
}

wire::vm_entry running(std::uint32_t vm, std::uint64_t bytes = gib) {
  wire::vm_entry v;
  v.vm = vm_id{vm};
  v.name = "vm" + std::to_string(vm);
  v.config_here = true;
  v.state = wire::run_state::running;
  v.memory_bytes = bytes;
  return v;
}

plan_request three_nodes(std::vector<wire::vm_entry> vms) {
  plan_request r;
  r.source = node_id{"n1"};
  r.nodes = {node("n3", 8 * gib), node("n1", 16 * gib, 10 * gib), node("n2", 8 * gib)};
  r.vms = std::move(vms);
  return r;
}

plan must_plan(const plan_request& r) {
  auto p = make_plan(r);
  REQUIRE(p.has_value());
  return *p;
}

std::string target_of(const plan& p, std::uint32_t vm) {
  for (const auto& s : p.steps)
    if (s.vm == vm_id{vm})
      return s.target.value;
  return "";
}

/// The only stay of a plan for one VM.
plan_stay only_stay(wire::vm_entry v) {
  const auto p = must_plan(three_nodes({std::move(v)}));
  REQUIRE(p.stays.size() == 1);
  CHECK(p.steps.empty());
  CHECK(p.feasible);
  return p.stays.front();
}

} // namespace

TEST_CASE("VMs are spread by free memory, the largest first, ties by name") {
  const auto p = must_plan(three_nodes(
    {running(100), running(101), running(102, 4 * gib), running(103), running(104, 2 * gib)}));
  CHECK(p.feasible);
  CHECK(exit_code(p) == 0);
  CHECK(target_of(p, 102) == "n2");
  CHECK(target_of(p, 104) == "n3");
  CHECK(target_of(p, 100) == "n3");
  CHECK(target_of(p, 101) == "n3");
  CHECK(target_of(p, 103) == "n2");
  CHECK(p.steps.front().vm == vm_id{102});
  CHECK(bytes_to_move(p) == 9 * gib);
  CHECK(
    p.memory == std::vector<plan_memory>{
                  {node_id{"n1"}, 16 * gib, 0, 10 * gib, gib},
                  {node_id{"n2"}, 8 * gib, 0, 0, 5 * gib},
                  {node_id{"n3"}, 8 * gib, 0, 0, 4 * gib}});
}

TEST_CASE("an encrypted stream needs two ends that can, and plain is never taken in silence") {
  auto r = three_nodes({running(100)});
  r.nodes[0].encryption_objection = "its QEMU cannot"; // n3
  auto p = must_plan(r);
  CHECK(target_of(p, 100) == "n2");
  REQUIRE(p.excluded.size() == 1);
  CHECK(p.excluded[0].node == node_id{"n3"});
  CHECK(
    p.excluded[0].reason == "its QEMU cannot; --stream plain would send guest memory in the clear, "
                            "over a trusted network");
  r.nodes[2].encryption_objection = "nor can its QEMU"; // n2
  p = must_plan(r);
  CHECK_FALSE(p.feasible);
  CHECK(p.steps.empty());
  r.kind = stream_kind::plain;
  CHECK(must_plan(r).excluded.empty());
  r.nodes[1].encryption_objection = "its QEMU cannot"; // n1, the source
  CHECK(must_plan(r).steps.size() == 1);
  r.kind = stream_kind::tls;
  const auto refused = make_plan(r);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK(refused.error().what.starts_with("no VM leaves n1 encrypted: its QEMU cannot; --stream"));
}

TEST_CASE("the order of the steps is the one asked for") {
  auto r = three_nodes({running(102, 2 * gib), running(100), running(101, 3 * gib)});
  const auto order_of = [&](plan_order order) {
    r.order = order;
    std::vector<std::uint32_t> vms;
    for (const auto& s : must_plan(r).steps)
      vms.push_back(s.vm.value);
    return vms;
  };
  CHECK(order_of(plan_order::largest_first) == std::vector<std::uint32_t>{101, 102, 100});
  CHECK(order_of(plan_order::smallest_first) == std::vector<std::uint32_t>{100, 102, 101});
  CHECK(order_of(plan_order::by_id) == std::vector<std::uint32_t>{100, 101, 102});
  CHECK(plan_order_from_string("by_id") == plan_order::by_id);
  CHECK_FALSE(plan_order_from_string("random").has_value());
}

TEST_CASE("memory in use, reserved and promised to moves in flight is not planned with") {
  auto r = three_nodes({running(100, 4 * gib)});
  r.nodes[0].used_bytes = 5 * gib;
  r.nodes[2].reserve_bytes = 2 * gib;
  r.nodes[2].incoming_bytes = 2 * gib;
  CHECK(target_of(must_plan(r), 100) == "n2");
  r.nodes[2].incoming_bytes += 1;
  const auto p = must_plan(r);
  CHECK_FALSE(p.feasible);
  CHECK(p.stays.front().reason == "needs 4.0 GiB, 1 B more than is left on n2, where most is left");
}

TEST_CASE("a node that is fuller than it should be has no room") {
  auto r = three_nodes({running(100, 1)});
  r.targets = {node_id{"n2"}};
  r.nodes[2].used_bytes = 9 * gib;
  CHECK_FALSE(must_plan(r).feasible);
}

TEST_CASE("nothing moves unless the whole set fits, and every VM hears why") {
  auto r = three_nodes({running(100), running(101, 9 * gib), running(102)});
  r.vms.push_back(running(103));
  r.vms.back().state = wire::run_state::absent;
  const auto p = must_plan(r);
  CHECK_FALSE(p.feasible);
  CHECK(exit_code(p) == 3);
  CHECK(p.steps.empty());
  REQUIRE(p.stays.size() == 4);
  CHECK(p.stays[0].kind == stay_kind::held_back);
  CHECK(p.stays[0].reason == "could go to n2, but nothing moves unless all have room");
  CHECK(p.stays[1].kind == stay_kind::no_room);
  CHECK(p.stays[1].reason == "needs 9.0 GiB, 2.0 GiB more than is left on n2, where most is left");
  CHECK(p.stays[3].kind == stay_kind::stopped);
  for (const auto& n : p.memory)
    CHECK(n.before_bytes == n.after_bytes);
}

TEST_CASE("where spreading finds no place for all, packing is tried") {
  // Spread, 101 takes 3 of n3's 4, then one of the others has only 1 left on either node.
  auto r = three_nodes({running(100, 2 * gib), running(101, 3 * gib), running(102, 2 * gib)});
  r.nodes[0].memory_bytes = 4 * gib;
  r.nodes[2].memory_bytes = 3 * gib;
  const auto p = must_plan(r);
  CHECK(p.feasible);
  CHECK(target_of(p, 101) == "n2");
  CHECK(target_of(p, 100) == "n3");
  CHECK(target_of(p, 102) == "n3");
}

TEST_CASE("cordoned and unreachable nodes are no targets, with the reason") {
  auto r = three_nodes({running(100)});
  r.nodes[0].cordon = "evacuation by host:4711";
  auto p = must_plan(r);
  CHECK(target_of(p, 100) == "n2");
  CHECK(
    p.excluded ==
    std::vector<excluded_node>{{node_id{"n3"}, "it is cordoned: evacuation by host:4711"}});
  r.nodes[2].unreachable = "the link is down";
  p = must_plan(r);
  CHECK_FALSE(p.feasible);
  CHECK(
    p.stays.front().reason ==
    "there is no target (n2: its agent does not answer: the link is down; n3: it is cordoned: "
    "evacuation by host:4711)");
}

TEST_CASE("only allowed targets are used, also when others have more room") {
  auto r = three_nodes({running(100)});
  r.nodes[2].used_bytes = 6 * gib;
  r.targets = {node_id{"n2"}};
  CHECK(target_of(must_plan(r), 100) == "n2");
}

TEST_CASE("a VM that cannot move stays with its reason and stops no other") {
  auto locked = running(100);
  locked.lock = "backup";
  CHECK(only_stay(locked).reason == "its config is locked (backup)");
  auto tied = running(100);
  tied.blockers = {"hostpci0 ties it to this host", "no storage s1 elsewhere"};
  CHECK(only_stay(tied).reason == "hostpci0 ties it to this host; no storage s1 elsewhere");
  auto moving = running(100);
  moving.record = record_state::moving;
  moving.record_epoch = epoch{7};
  moving.record_source = node_id{"n1"};
  moving.record_target = node_id{"n2"};
  CHECK(only_stay(moving).reason == "an earlier handover is unfinished (epoch 7, n1 to n2)");
  auto foreign = running(100);
  foreign.config_here = false;
  CHECK(only_stay(foreign).kind == stay_kind::blocked);
  auto odd = running(100);
  odd.state = wire::run_state::postmigrate;
  CHECK(only_stay(odd).reason == "its QEMU is neither running nor paused (postmigrate)");

  const auto p = must_plan(three_nodes({locked, running(101)}));
  CHECK(p.steps.size() == 1);
  CHECK(exit_code(p) == 2);
}

TEST_CASE("a stopped VM stays without being a failure, a paused one moves") {
  auto stopped = running(100);
  stopped.state = wire::run_state::absent;
  auto paused = running(101);
  paused.state = wire::run_state::paused;
  const auto p = must_plan(three_nodes({stopped, paused}));
  CHECK(p.stays.front().kind == stay_kind::stopped);
  CHECK(target_of(p, 101) == "n2");
  CHECK(exit_code(p) == 0);
}

TEST_CASE("an empty node is a plan with nothing to do") {
  const auto p = must_plan(three_nodes({}));
  CHECK(p.feasible);
  CHECK(exit_code(p) == 0);
  CHECK(p.steps.empty());
}

TEST_CASE("a request that makes no sense is refused") {
  const auto why = [](const plan_request& r) {
    const auto p = make_plan(r);
    REQUIRE_FALSE(p.has_value());
    CHECK(p.error().code == errc::invalid);
    return to_string(p.error());
  };
  auto r = three_nodes({running(100)});
  r.source = node_id{"n9"};
  CHECK(why(r) == "there is no node n9 in the cluster (nodes: n1, n2, n3)");
  r = three_nodes({running(100)});
  r.targets = {node_id{"n2"}, node_id{"n4"}};
  CHECK(why(r) == "there is no node n4 in the cluster (nodes: n1, n2, n3)");
  r.targets = {node_id{"n1"}};
  CHECK(why(r) == "a node cannot be evacuated to itself (n1)");
  CHECK(why(three_nodes({running(100), running(100)})) == "the VM is listed twice (100)");
}

TEST_CASE("a plan reads the same as table and as JSON") {
  auto stopped = running(101);
  stopped.state = wire::run_state::absent;
  const auto p = must_plan(three_nodes({running(100), stopped}));
  CHECK(plan_table(p) == R"(evacuation of n1, policy ticket: 1 to move (1.0 GiB), 1 to stay

VMID  NAME   MEMORY   TARGET
100   vm100  1.0 GiB  n2

VMID  NAME   MEMORY   STAYS BECAUSE
101   vm101  1.0 GiB  stopped

NODE  MEMORY    RESERVED  GUESTS BEFORE  AFTER
n1    16.0 GiB  0 B       10.0 GiB       9.0 GiB
n2    8.0 GiB   0 B       0 B            1.0 GiB
n3    8.0 GiB   0 B       0 B            0 B
)");
  const auto j = plan_json(p);
  CHECK(j["feasible"] == true);
  CHECK(j["exit_code"] == 0);
  CHECK(j["policy"] == "ticket");
  CHECK(
    j["steps"].dump() ==
    R"([{"vmid":100,"name":"vm100","source":"n1","target":"n2","bytes":1073741824}])");
  CHECK(j["stayed"][0]["kind"] == "stopped");
  CHECK(j["nodes"].size() == 3);
  CHECK(plan_table(must_plan(three_nodes({running(100, 20 * gib)})))
          .starts_with("n1 cannot be evacuated: nothing was moved\n"));
}

TEST_CASE("a plan that is taken up again keeps its targets, if all of them still fit") {
  auto r = three_nodes({running(100), running(101), running(102)});
  r.wanted = {
    {vm_id{100}, node_id{"n3"}}, {vm_id{101}, node_id{"n3"}}, {vm_id{102}, node_id{"n3"}}};
  const auto kept = must_plan(r);
  for (const std::uint32_t vm : {100U, 101U, 102U})
    CHECK(target_of(kept, vm) == "n3");

  r.nodes.front().used_bytes = 6 * gib; // n3 has got others meanwhile.
  const auto anew = must_plan(r);
  CHECK(anew.feasible);
  CHECK(anew.steps.size() == 3);
  CHECK(target_of(anew, 100) == "n2");
  r.wanted[vm_id{100}] = node_id{"n1"}; // What is no target any more counts as not fitting.
  CHECK(must_plan(r).feasible);
}
