#include "runtime/program/agent_command.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace drover;

namespace {

/// The word after the flag; "-" where the flag is not given.
std::string after(const std::vector<std::string>& argv, const std::string& flag) {
  const auto found = std::find(argv.begin(), argv.end(), flag);
  return found == argv.end() || std::next(found) == argv.end() ? "-" : *std::next(found);
}

} // namespace

TEST_CASE("an agent is told which store it has, and how late its node sees a lagging one") {
  cluster_file cluster;
  cluster.store_path = "/etc/pve";
  cluster_node node;
  node.node = node_id{"n1"};
  node.store_lag = {milliseconds{1}, milliseconds{5}, 1000, std::chrono::seconds{2}};
  const auto plain = agent_command("/bin/drover-agent", cluster, node, fleet_access::control);
  CHECK(plain.front() == "/bin/drover-agent");
  CHECK(after(plain, "--store") == "pmxcfs:/etc/pve");
  CHECK(after(plain, "--store-lag") == "-");

  cluster.store = store_kind::lagging;
  cluster.store_path = "/tmp/store";
  const auto lagging = agent_command("/bin/drover-agent", cluster, node, fleet_access::observe);
  CHECK(after(lagging, "--store") == "lagging:/tmp/store");
  CHECK(after(lagging, "--store-lag") == "1ms..5ms,1000:2s");
}
