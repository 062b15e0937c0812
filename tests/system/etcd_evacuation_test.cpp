// A node is emptied on a cluster whose store is an etcd of three real members.
#include "tests/contracts/etcd_cluster.hpp"
#include "tests/system/lab.hpp"

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
  lab l{
    some_vms(),
    {{"kind", "etcd"}, {"path", write_access_file(members)}},
    [&](const lab_vm& vm, const std::string& text) {
      REQUIRE(store.create_config(vm_id{vm.number}, node_id{vm.node}, text));
    }};
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
    INFO("VM " << vm.number);
    REQUIRE(l.beacons().wait_for_beats(vm_id{vm.number}, 5, 30s));
    const auto report = l.beacons().report(vm_id{vm.number});
    INFO(to_string(*report));
    CHECK(report->contiguous());
    const auto record = store.read_record(vm_id{vm.number});
    REQUIRE(record);
    REQUIRE(*record);
    CHECK((*record)->state == record_state::settled);
    const auto owner = store.read_owner(vm_id{vm.number});
    REQUIRE(owner);
    CHECK(*owner == (*record)->target);
    const auto config = store.read_config(vm_id{vm.number}, (*record)->target);
    REQUIRE(config);
    CHECK(config->find("lock:") == std::string::npos);
  }
}
