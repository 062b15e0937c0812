// A node is emptied on a cluster whose store is an etcd of three real members.
#include "tests/contracts/etcd_cluster.hpp"
#include "tests/system/lab.hpp"
#include "tests/system/trace_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::vector<lab_vm> some_vms() {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < 12; ++i)
    vms.push_back({100 + i, "n1", 64, 1, 0});
  return vms;
}

/// The access file, which no command line shows.
std::string write_access_file(const contracts::etcd_members& members) {
  const auto path = members.directory() / "etcd.json";
  std::ofstream{path} << json{{"endpoints", members.reached().endpoints}, {"prefix", "/lab"}};
  return path.string();
}

etcd_calls calls_of(const contracts::etcd_members& members, const std::string& node) {
  auto calls = etcd_calls::open({members.reached(), "/lab", node_id{node}, 120'000ms});
  REQUIRE(calls);
  return std::move(*calls);
}

/// A lab whose store is this etcd.
lab lab_on(
  const contracts::etcd_members& members, etcd_calls& store, const std::vector<lab_vm>& vms) {
  return lab{
    vms,
    {{"kind", "etcd"}, {"path", write_access_file(members)}},
    [&](const lab_vm& vm, const std::string& text) {
      REQUIRE(store.create_config(vm_id{vm.number}, node_id{vm.node}, text));
    }};
}

/// Two of three; the one that is left answers reads.
void lose_quorum(contracts::etcd_members& members) {
  members.kill(0);
  members.kill(1);
}

void regain_quorum(contracts::etcd_members& members) {
  members.start(0);
  members.start(1);
  members.wait_ready();
}

std::vector<std::string> evacuate(const lab& l, const trace_file& trace) {
  return l.command({"evacuate", "n1", "-o", "json", "--trace", trace.path().string()});
}

/// Runs once, on the node that owns it, and nothing of a handover is left in the store.
void check_settled(lab& l, etcd_calls& store, std::uint32_t number) {
  INFO("VM " << number);
  const vm_id vm{number};
  REQUIRE(l.beacons().wait_for_beats(vm, 5, 30s));
  const auto report = l.beacons().report(vm);
  INFO(to_string(*report));
  CHECK(report->contiguous());
  const auto record = store.read_record(vm);
  REQUIRE(record);
  REQUIRE(*record);
  CHECK((*record)->state == record_state::settled);
  const auto owner = store.read_owner(vm);
  REQUIRE(owner);
  REQUIRE(*owner);
  const bool moved = (*record)->outcome == source_outcome::completed;
  CHECK(**owner == (moved ? (*record)->target : (*record)->source));
  const auto config = store.read_config(vm, **owner);
  REQUIRE(config);
  CHECK(config->find("lock:") == std::string::npos);
}

/// How many VMs have moved by now.
std::size_t moved_in(const std::string& progress) {
  std::size_t n = 0;
  const std::string word = "moved, pause";
  for (auto at = progress.find(word); at != std::string::npos; at = progress.find(word, at + 1))
    ++n;
  return n;
}

} // namespace

TEST_CASE("an etcd member that dies during an evacuation changes nothing but time", "[system]") {
  contracts::etcd_members members;
  auto store = calls_of(members, "n1");
  auto l = lab_on(members, store, some_vms());
  l.start_all();
  const auto leader = members.leader();
  running_program controller{l.command({"evacuate", "n1", "-o", "json"})};
  REQUIRE(controller.wait_until([](const auto& seen) { return moved_in(seen.err) >= 3; }, 60s));
  members.kill(leader);
  const auto ended = controller.finish(120s);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  CHECK(ended.exit_code == 0);
  const auto result = json::parse(ended.out, nullptr, false);
  REQUIRE(result.is_object());
  CHECK(result.at("moved") == 12);
  REQUIRE(store.barrier());
  for (const auto& vm : l.vms()) {
    check_settled(l, store, vm.number);
    CHECK(*store.read_owner(vm_id{vm.number}) != node_id{"n1"});
  }
}

TEST_CASE("an etcd that loses its quorum while memory flows lets no VM be paused", "[system]") {
  contracts::etcd_members members;
  auto store = calls_of(members, "n1");
  // Writes faster than its stream may carry, so it streams until somebody cancels it.
  auto l = lab_on(members, store, {{150, "n1", 8192, 100, 8}});
  l.start_all();
  const trace_file trace{l.directory() / "trace"};
  running_program controller{evacuate(l, trace)};
  REQUIRE(trace.wait_for({{"event", "phase_changed"}, {"to", "streaming"}}, 1, 60s));
  lose_quorum(members);
  const bool stays = trace.wait_for({{"event", "phase_changed"}, {"to", "reverting"}}, 1, 60s);
  regain_quorum(members);
  const auto ended = controller.finish(120s);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  CHECK(stays);
  CHECK(ended.exit_code == 2);
  CHECK(ended.out.find("not paused while the store takes no writes") != std::string::npos);
  REQUIRE(store.barrier());
  check_settled(l, store, 150);
  CHECK(*store.read_owner(vm_id{150}) == node_id{"n1"});
}

TEST_CASE("an etcd without quorum keeps no VM paused, and is told later", "[system]") {
  contracts::etcd_members members;
  auto store = calls_of(members, "n1");
  // Some seconds to copy, sooner over than a lost quorum is noticed.
  auto l = lab_on(members, store, {{150, "n1", 8192, 4, 2}});
  l.start_all();
  REQUIRE(l.beacons().wait_for_beats(vm_id{150}, 200, 60s));
  const trace_file trace{l.directory() / "trace"};
  running_program controller{evacuate(l, trace)};
  REQUIRE(trace.wait_for({{"event", "phase_changed"}, {"to", "streaming"}}, 1, 60s));
  lose_quorum(members);
  const bool runs = trace.wait_for({{"event", "pause_mark"}, {"mark", "resumed"}}, 1, 60s);
  for (int i = 0; runs && i < 20; ++i)
    REQUIRE(l.beacons().wait_for_beats(vm_id{150}, 25, 10s));
  CHECK_FALSE(trace.wait_for({{"event", "pause_mark"}, {"mark", "claimed"}}, 1, 0s));
  regain_quorum(members);
  const auto ended = controller.finish(120s);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  CHECK(runs);
  CHECK(ended.exit_code == 0);
  trace.check_no_pause_waited();
  REQUIRE(store.barrier());
  check_settled(l, store, 150);
  CHECK(*store.read_owner(vm_id{150}) != node_id{"n1"});
}
