// Sixty-four nodes behind a real sshd: how soon all links are up, migrations among all of them, and
// the threads that it takes. The machines are only numbers; everything else is what production has.
#include "runtime/program/fleet.hpp"
#include "tests/support/test_sshd.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <thread>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t node_count = 64;
constexpr std::uint32_t vm_count = 200;
constexpr std::uint32_t first_vm = 1000;

node_id node_of(std::uint32_t number) { return node_id{"n" + std::to_string(number % node_count)}; }

class silent_sink final : public trace_sink {
public:
  void take(const trace_event&) override {}
};

std::size_t threads_of_this_process() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

cluster_file many_nodes(const test_sshd& server, const std::filesystem::path& room) {
  cluster_file cluster;
  cluster.name = "many";
  cluster.store = store_kind::pmxcfs;
  cluster.store_path = room / "store";
  cluster.link = link_kind::ssh;
  cluster.ssh.known_hosts = server.known_hosts();
  for (std::uint32_t i = 0; i < node_count; ++i) {
    cluster_node node;
    node.node = node_of(i);
    node.link = link_kind::ssh;
    node.place.host = "127.0.0.1";
    node.place.port = server.port();
    node.place.user = test_sshd::user();
    node.place.identity_file = server.identity();
    node.place.agent = DROVER_MEMORY_AGENT;
    node.run_dir = room / node.node.value;
    node.memory_bytes = std::uint64_t{1} << 36U;
    const auto configs = cluster.store_path / "nodes" / node.node.value / "qemu-server";
    std::filesystem::create_directories(configs);
    cluster.nodes.emplace(node.node, node);
  }
  for (std::uint32_t i = 0; i < vm_count; ++i)
    std::ofstream{
      cluster.store_path / "nodes" / node_of(i).value / "qemu-server" /
      (std::to_string(first_vm + i) + ".conf")}
      << "name: vm" << i << "\nmemory: 64\ncores: 1\n";
  return cluster;
}

evacuation_order everyone_moves(const std::string& controller) {
  evacuation_order order;
  for (std::uint32_t i = 0; i < vm_count; ++i) {
    migration_order one;
    one.vm = vm_id{first_vm + i};
    one.source = node_of(i);
    one.target = node_of(i + 1 + i / node_count);
    one.controller = controller;
    one.memory_bytes = std::uint64_t{64} << 20U;
    order.migrations.push_back(one);
  }
  return order;
}

} // namespace

TEST_CASE("64 nodes are up in seconds, and 200 VMs move among them, on few threads", "[system]") {
  const temporary_directory room;
  const test_sshd server;
  const auto cluster = many_nodes(server, room.path());
  const auto threads_before = threads_of_this_process();
  const auto begin = monotonic_now();
  fleet_settings settings;
  settings.trace = std::make_shared<silent_sink>();
  settings.agent_log_dir = room.path();
  auto nodes = fleet::open(cluster, settings);
  REQUIRE(nodes);
  for (const auto& [node, answer] : (*nodes)->call_all(wire::ping{}, 60s)) {
    INFO(node.value << (answer ? "" : ": " + to_string(answer.error())));
    REQUIRE(answer);
  }
  const auto up = monotonic_now() - begin;
  const auto threads = threads_of_this_process() - threads_before;

  std::vector<std::pair<node_id, wire::request_body>> starts;
  for (std::uint32_t i = 0; i < vm_count; ++i)
    starts.emplace_back(node_of(i), wire::start_vm{vm_id{first_vm + i}});
  for (const auto& started : (*nodes)->call_each(starts, 30s, 32)) {
    INFO((started ? "" : to_string(started.error())));
    REQUIRE(started);
  }
  const auto moving = monotonic_now();
  const auto report = (*nodes)->run(everyone_moves((*nodes)->controller()));
  const auto moved = monotonic_now() - moving;
  REQUIRE(report.migrations.size() == vm_count);
  for (const auto& one : report.migrations) {
    INFO("VM " << to_string(one.vm) << ": " << one.reason);
    CHECK(one.end == verdict::moved);
  }
  std::cout << node_count << " links up after " << seconds(up) << " s, " << vm_count
            << " migrations in " << seconds(moved) << " s, " << threads << " threads for all\n";
  CHECK(up < 5s);
  // The loop of the links, and CAF's workers, which are as many as the machine has cores but 4 at
  // least, with their helpers.
  CHECK(threads <= std::max(4U, std::thread::hardware_concurrency()) + 6);
}
