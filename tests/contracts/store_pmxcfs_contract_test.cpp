#include "tests/contracts/store_contract.hpp"
#include "tests/contracts/store_rig.hpp"

namespace drover::contracts {

TEST_CASE("pmxcfs on a plain directory keeps the store's contract") {
  check_store_contract([](std::size_t nodes, milliseconds lock_expiry) {
    return std::make_unique<pmxcfs_cluster>(
      nodes, pmxcfs_options{{}, {}, lock_expiry, std::nullopt});
  });
}

// A mounted pmxcfs checks numbers and places itself; what the driver adds to it is all here.
TEST_CASE("pmxcfs without a guard keeps the part of the contract that is not about races") {
  const auto make = [](std::size_t nodes, milliseconds lock_expiry) {
    return std::make_unique<pmxcfs_cluster>(
      nodes, pmxcfs_options{{}, {}, lock_expiry, directory_kind::replicated});
  };
  SECTION("configs") { check_configs(make); }
  SECTION("records") { check_records(make); }
  SECTION("locks") { check_locks(make); }
  SECTION("order") { check_order(make); }
}

} // namespace drover::contracts
