#include "runtime/store/sim_store.hpp"
#include "tests/contracts/store_contract.hpp"

#include <vector>

namespace drover::contracts {
namespace {

using std::chrono::microseconds;

class sim_cluster final : public store_cluster {
public:
  sim_cluster(std::size_t nodes, const sim_store_settings& settings)
    : cluster_(queue_, luck{7}, settings, names(nodes)) {
    for (std::size_t node = 0; node < nodes; ++node)
      stores_.push_back(cluster_.open(name(node), {}));
  }

  store& at(std::size_t node) override { return *stores_.at(node); }
  node_id name(std::size_t node) const override { return node_id{"n" + std::to_string(node + 1)}; }
  void step() override {
    if (!queue_.step())
      queue_.advance_to(queue_.now() + milliseconds{1});
  }
  mono_time now() const override { return queue_.now(); }

private:
  std::vector<node_id> names(std::size_t nodes) const {
    std::vector<node_id> out;
    for (std::size_t node = 0; node < nodes; ++node)
      out.push_back(name(node));
    return out;
  }

  event_queue queue_;
  sim_store_cluster cluster_;
  std::vector<std::unique_ptr<store>> stores_;
};

cluster_maker sim_clusters(const sim_store_settings& settings) {
  return [settings](std::size_t nodes, milliseconds lock_expiry) {
    auto own = settings;
    own.lock_expiry = lock_expiry;
    return std::make_unique<sim_cluster>(nodes, own);
  };
}

} // namespace

TEST_CASE("the simulated store keeps the contract when all views are prompt") {
  check_store_contract(sim_clusters({}));
}

TEST_CASE("the simulated store keeps the contract when views lag by seconds") {
  sim_store_settings settings;
  settings.lag = {milliseconds{1}, milliseconds{300}, 100'000, milliseconds{5'000}};
  check_store_contract(sim_clusters(settings));
}

TEST_CASE("the simulated store keeps the contract when a node makes many calls at once") {
  sim_store_settings settings;
  settings.lag = {microseconds{0}, milliseconds{20}, 0, {}};
  settings.calls_at_once = 8;
  check_store_contract(sim_clusters(settings));
}

TEST_CASE("the simulated store keeps the contract when its calls take no time") {
  sim_store_settings settings;
  settings.read = exactly({});
  settings.write = exactly(microseconds{1});
  check_store_contract(sim_clusters(settings));
}

} // namespace drover::contracts
