// The store contract of the pmxcfs driver on a mounted file system that gives no more than a pmxcfs
// does: no exchange or exclusive rename, no hard links, no modes but its own, locks as directories.
#include "tests/contracts/store_contract.hpp"
#include "tests/contracts/store_rig.hpp"
#include "tests/support/mounted_store.hpp"

#include <fstream>

namespace drover::contracts {
namespace {

using drover::testing::mounted_store;
using drover::testing::tell_skipped;

/// Nodes n1, n2, ... on one mount.
class mounted_cluster final : public store_cluster {
public:
  mounted_cluster(std::size_t nodes, milliseconds lock_expiry, milliseconds call_deadline)
    : mount_(lock_expiry),
      nodes_(nodes, pmxcfs_options{mount_.path(), {}, lock_expiry, std::nullopt}, call_deadline) {
    REQUIRE(mount_.why_not().empty());
  }

  store& at(std::size_t node) override { return nodes_.at(node); }
  node_id name(std::size_t node) const override { return nodes_.name(node); }
  void step() override { nodes_.step(); }
  mono_time now() const override { return nodes_.now(); }
  mounted_store& mount() { return mount_; }

private:
  mounted_store mount_;
  pmxcfs_cluster nodes_;
};

bool can_mount() {
  const mounted_store tried;
  if (!tried.why_not().empty())
    tell_skipped(tried);
  return tried.why_not().empty();
}

const vm_id vm{100};
const std::string text = "name: a\nmemory: 512\n";

} // namespace

// All but one part: a list of all places can miss a VM that moves three times while it is made,
// which a plain directory's guard keeps from happening and a handover is too slow for.
TEST_CASE("pmxcfs on a mounted store keeps the store's contract") {
  if (!can_mount())
    return;
  const auto make = [](std::size_t nodes, milliseconds lock_expiry) {
    return std::make_unique<mounted_cluster>(nodes, lock_expiry, milliseconds{20'000});
  };
  SECTION("places") { check_places(make); }
  SECTION("configs") { check_configs(make); }
  SECTION("records") { check_records(make); }
  SECTION("locks") { check_locks(make); }
  SECTION("expiry of locks") { check_lock_expiry(make); }
  SECTION("order") { check_order(make); }
  SECTION("races") { check_races(make); }
}

TEST_CASE("a mounted store without quorum refuses at once, reads on, and comes back") {
  if (!can_mount())
    return;
  mounted_cluster all(2, milliseconds{120'000}, milliseconds{20'000});
  node_calls a(all, 0);
  REQUIRE(a.create(vm, 0, text) == "ok");
  for (const char* refusal : {"EACCES", "EROFS"}) {
    all.mount().tell(std::string("refuse ") + refusal);
    CHECK(a.barrier() == "refused");
    CHECK(a.write(vm, 0, text + "cores: 2\n") == "refused");
    CHECK(a.move(vm, 0, 1) == "refused");
    CHECK(code_of(a.take("x", "me")) == "refused");
    CHECK(a.owner(vm) == all.name(0));
    CHECK(a.config(vm, 0) == text);
    all.mount().tell("clear");
    CHECK(a.barrier() == "ok");
  }
  CHECK(a.move(vm, 0, 1) == "ok");
  CHECK(a.owner(vm) == all.name(1));
}

TEST_CASE("a mounted store that hangs is given up in time, and used again when it answers") {
  if (!can_mount())
    return;
  mounted_cluster all(2, milliseconds{120'000}, milliseconds{300});
  node_calls a(all, 0);
  REQUIRE(a.create(vm, 0, text) == "ok");
  all.mount().tell("hang writes");
  const auto asked = all.now();
  CHECK(a.move(vm, 0, 1) == "timeout");
  CHECK(all.now() - asked < std::chrono::seconds{5});
  CHECK(all.mount().status().hanging == 1);
  // What was asked meanwhile is given up too, and not made afterwards.
  CHECK(a.write(vm, 0, text + "cores: 2\n") == "timeout");
  all.mount().tell("clear");
  REQUIRE(all.mount().wait_until([](const auto& f) { return f.moves == 1; }, longest_wait));
  CHECK(a.barrier() == "ok");
  CHECK(a.owner(vm) == all.name(1)); // The move that was given up has come.
  CHECK(a.config(vm, 1) == text);
}

TEST_CASE("a refusal that took long may have been carried out, and so may any broken call") {
  if (!can_mount())
    return;
  mounted_cluster all(2, milliseconds{120'000}, milliseconds{20'000});
  node_calls a(all, 0);
  REQUIRE(a.create(vm, 0, text) == "ok");
  REQUIRE(a.move(vm, 0, 1) == "ok"); // The directories are there.
  std::size_t at = 1;
  for (const char* broken : {"ECONNABORTED", "EBUSY", "EPERM", "ENOTCONN", "EIO"}) {
    INFO(broken);
    all.mount().tell(std::string("lie ") + broken);
    CHECK(a.move(vm, at, 1 - at) == "lost");
    all.mount().tell("clear");
    at = 1 - at;
    CHECK(a.barrier() == "ok");
    CHECK(a.owner(vm) == all.name(at));
  }
  all.mount().tell("delay 1100");
  all.mount().tell("refuse EACCES");
  CHECK(a.move(vm, at, 1 - at) == "lost");
  all.mount().tell("clear");
  CHECK(a.owner(vm) == all.name(at));
}

TEST_CASE("what the kernel remembers of a config that has moved deceives nobody") {
  if (!can_mount())
    return;
  mounted_cluster all(2, milliseconds{120'000}, milliseconds{20'000});
  node_calls a(all, 0);
  node_calls b(all, 1);
  REQUIRE(a.create(vm, 0, text) == "ok");
  all.mount().tell("stale 60000");
  REQUIRE(b.move(vm, 0, 1) == "ok");
  const auto left = all.mount().path() / "nodes/n1/qemu-server/100.conf";
  REQUIRE(std::filesystem::exists(left)); // A stat is deceived.
  CHECK(a.owner(vm) == all.name(1));
  CHECK(a.places() == std::map<vm_id, node_id>{{vm, all.name(1)}});
  CHECK(a.config(vm, 0).error().code == errc::conflict);
  CHECK(a.write(vm, 0, text) == "conflict");
  CHECK(a.remove(vm, 0) == "conflict");
  CHECK(a.move(vm, 0, 1) == "conflict");
  CHECK(a.create(vm, 0, text) == "conflict");
  CHECK(b.move(vm, 1, 0) == "ok");
  CHECK(a.owner(vm) == all.name(0));
}

TEST_CASE("a move that was acknowledged and taken back is seen where it went back to") {
  if (!can_mount())
    return;
  mounted_cluster all(2, milliseconds{120'000}, milliseconds{20'000});
  node_calls a(all, 0);
  REQUIRE(a.create(vm, 0, text) == "ok");
  all.mount().tell("remember");
  REQUIRE(a.move(vm, 0, 1) == "ok");
  REQUIRE(a.owner(vm) == all.name(1));
  all.mount().tell("rollback");
  CHECK(a.barrier() == "ok");
  CHECK(a.owner(vm) == all.name(0));
  CHECK(a.move(vm, 0, 1) == "ok");
}

TEST_CASE("a lock of Proxmox's own is respected until it expires, and drover's by Proxmox") {
  if (!can_mount())
    return;
  mounted_cluster all(1, milliseconds{600}, milliseconds{20'000});
  node_calls a(all, 0);
  const auto place = all.mount().path() / "priv/lock";
  std::filesystem::create_directories(place / "domain-ha");
  CHECK(code_of(a.take("domain-ha", "drover")) == "conflict");
  const auto until = all.now() + longest_wait;
  while (code_of(a.take("domain-ha", "drover")) != "ok" && all.now() < until)
    all.step();
  CHECK(a.locks("domain-") == std::vector<store_lock>{{"domain-ha", "drover"}});
  std::error_code there;
  CHECK_FALSE(std::filesystem::create_directory(place / "domain-ha", there)); // cfs_lock's mkdir
  CHECK(a.drop("domain-ha", "drover") == "ok");
  CHECK(std::filesystem::create_directory(place / "domain-ha", there));
}

TEST_CASE("a lock whose taking was cut short is had again at once, by its own node only") {
  if (!can_mount())
    return;
  mounted_cluster all(1, milliseconds{120'000}, milliseconds{20'000});
  node_calls a(all, 0);
  REQUIRE(code_of(a.take("drover-other", "me")) == "ok"); // The directories are there.
  all.mount().tell("lie EBUSY");
  CHECK(code_of(a.take("drover-mine", "me")) == "lost");
  all.mount().tell("clear");
  REQUIRE(a.locks("drover-mine") == std::vector<store_lock>{{"drover-mine", ""}});
  CHECK(code_of(a.take("drover-mine", "me")) == "ok");
  CHECK(a.locks("drover-mine") == std::vector<store_lock>{{"drover-mine", "me"}});
  CHECK(a.drop("drover-mine", "me") == "ok");
  // Whose node a process is on the shim reads from its command line.
  const auto theirs = (all.mount().path() / "priv/lock/drover-theirs").string();
  const auto made = drover::testing::run_program(
    {"perl", "-e", "mkdir $ARGV[0] or exit 1", theirs, "--node", "n9"});
  REQUIRE(made.exit_code == 0);
  CHECK(code_of(a.take("drover-theirs", "me")) == "conflict");
}

TEST_CASE("a config that a mounted store would not take is refused before anything is written") {
  if (!can_mount())
    return;
  mounted_cluster all(1, milliseconds{120'000}, milliseconds{20'000});
  node_calls a(all, 0);
  CHECK(a.create(vm, 0, std::string((std::size_t{1} << 20) + 1, 'x')) == "invalid");
  CHECK(a.create(vm_id{99}, 0, text) == "invalid");
  const auto before = all.mount().status().writes;
  CHECK(before == 0);
  const auto lxc = all.mount().files() / "nodes/n9/lxc";
  std::filesystem::create_directories(lxc);
  std::ofstream{lxc / "100.conf"} << "a container\n";
  CHECK(a.create(vm, 0, text) == "conflict");
}

} // namespace drover::contracts
