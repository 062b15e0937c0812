#include "runtime/scenario/local_store.hpp"
#include "runtime/scenario/scenario_file.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>

using namespace drover;

namespace {

/// A directory that is gone again at the end.
struct scratch {
  std::filesystem::path path;
  scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "drover-world-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~scratch() { std::filesystem::remove_all(path); }
};

} // namespace

TEST_CASE("a local world's store tells the same of itself, whatever kind it is") {
  const auto kind = GENERATE(store_kind::pmxcfs, store_kind::lagging);
  const scratch room;
  cluster_file cluster;
  cluster.store = kind;
  cluster.store_path = room.path / "store";
  const local_store store{cluster};
  CHECK(store.files().empty());
  const node_id n1{"n1"};
  REQUIRE(store.create_configs(n1, {{vm_id{100}, "name: a\n"}, {vm_id{101}, "name: b\n"}}));
  REQUIRE(store.create_configs(node_id{"n2"}, {{vm_id{102}, "name: c\n"}}));
  CHECK(
    store.create_configs(node_id{"n2"}, {{vm_id{100}, "name: d\n"}}).error().code ==
    errc::conflict);
  CHECK(
    store.files() == std::map<std::string, std::string>{
                       {"nodes/n1/qemu-server/100.conf", "name: a\n"},
                       {"nodes/n1/qemu-server/101.conf", "name: b\n"},
                       {"nodes/n2/qemu-server/102.conf", "name: c\n"}});
}

TEST_CASE("a scenario's local cluster has a lagging store where a view lags or is asked to") {
  scenario_file scenario;
  scenario.nodes[node_id{"n1"}] = {};
  scenario.nodes[node_id{"n2"}] = {};
  const auto cluster = [&] { return local_cluster(scenario, "/tmp/room"); };
  CHECK(cluster().store == store_kind::pmxcfs);

  scenario.store.lagging = true;
  CHECK(cluster().store == store_kind::lagging);

  scenario.store.lagging = false;
  scenario.nodes[node_id{"n2"}].store_lag = exactly(milliseconds{100});
  CHECK(cluster().store == store_kind::lagging);
  CHECK(cluster().nodes.at(node_id{"n1"}).store_lag == delay_range{});
  CHECK(cluster().nodes.at(node_id{"n2"}).store_lag == exactly(milliseconds{100}));

  scenario.store.lag = exactly(milliseconds{5});
  CHECK(cluster().store_lag == exactly(milliseconds{5}));
  CHECK(cluster().nodes.at(node_id{"n1"}).store_lag == exactly(milliseconds{5}));
  CHECK(cluster().nodes.at(node_id{"n2"}).store_lag == exactly(milliseconds{100}));
}
