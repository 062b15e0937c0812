#include "tests/contracts/store_contract.hpp"
#include "tests/contracts/store_rig.hpp"

namespace drover::contracts {
namespace {

cluster_maker lagging_clusters(const delay_range& lag) {
  return [lag](std::size_t nodes, milliseconds lock_expiry) {
    return std::make_unique<lagging_cluster>(nodes, lagging_options{{}, {}, lag, lock_expiry});
  };
}

} // namespace

TEST_CASE("the lagging store keeps the contract when no view lags") {
  check_store_contract(lagging_clusters({}));
}

TEST_CASE("the lagging store keeps the contract when views lag by much more than a call takes") {
  check_store_contract(
    lagging_clusters({milliseconds{2}, milliseconds{10}, 20'000, milliseconds{100}}));
}

} // namespace drover::contracts
