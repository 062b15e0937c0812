// The store contract on real etcd clusters of three members, also while members are killed and
// stopped.
#include "tests/contracts/etcd_cluster.hpp"
#include "tests/contracts/store_contract.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

namespace drover::contracts {
namespace {

/// Nodes n1, n2, ... on one etcd cluster, below a prefix of their own.
class etcd_store_cluster final : public store_cluster {
public:
  etcd_store_cluster(const etcd_members& members, std::size_t nodes, milliseconds lock_expiry) {
    static std::atomic<int> count = 0;
    const auto prefix = "/drover-test-" + std::to_string(++count);
    for (std::size_t node = 0; node < nodes; ++node) {
      auto reached = members.reached();
      auto& all = reached.endpoints;
      const auto first = static_cast<std::ptrdiff_t>(node % all.size());
      std::rotate(all.begin(), all.begin() + first, all.end());
      etcd_options options{std::move(reached), prefix, name(node), lock_expiry};
      stores_.push_back(
        std::make_unique<etcd_store>(std::move(options), milliseconds{10'000}, loop_.post()));
    }
  }

  store& at(std::size_t node) override { return *stores_.at(node); }
  node_id name(std::size_t node) const override { return node_id{"n" + std::to_string(node + 1)}; }
  void step() override { loop_.step(); }
  mono_time now() const override { return monotonic_now(); }

private:
  task_loop loop_;
  std::vector<std::unique_ptr<etcd_store>> stores_;
};

const vm_id vm{100};

} // namespace

TEST_CASE("the etcd store keeps the contract with three real members") {
  static etcd_members members;
  check_store_contract([](std::size_t nodes, milliseconds lock_expiry) {
    return std::make_unique<etcd_store_cluster>(members, nodes, lock_expiry);
  });
}

TEST_CASE("an etcd member that is killed or stopped costs time and nothing else") {
  etcd_members members;
  etcd_store_cluster cluster(members, 2, milliseconds{120'000});
  node_calls a(cluster, 0);
  node_calls b(cluster, 1);
  REQUIRE(a.create(vm, 0, "round: none\n") == "ok");
  std::size_t from = 0;
  const auto move_on = [&](int rounds) {
    for (int round = 0; round < rounds; ++round) {
      const auto text = "round: " + std::to_string(round) + "\n";
      REQUIRE(a.write(vm, from, text) == "ok");
      REQUIRE(a.move(vm, from, 1 - from) == "ok");
      from = 1 - from;
      REQUIRE(b.barrier() == "ok");
      REQUIRE(b.owner(vm) == cluster.name(from));
      REQUIRE(b.config(vm, from) == text);
      REQUIRE(code_of(a.take("lease", "a")) == "ok");
    }
  };
  move_on(5);
  for (int trial = 0; trial < 2; ++trial) {
    const auto leader = members.leader();
    INFO("the leader is m" << leader + 1);
    members.kill(leader);
    move_on(10);
    members.start(leader);
    members.wait_ready();
    move_on(5);
    const auto next = members.leader();
    members.stop(next);
    move_on(10);
    members.go_on(next);
    move_on(5);
  }
}

TEST_CASE("an etcd with TLS and a login is spoken to, and a login that is over is made again") {
  etcd_members members(1, etcd_security::tls_and_login);
  const auto answer_to = [&](const std::function<void(etcd::access&)>& change) {
    auto reached = members.reached();
    change(reached);
    etcd::client asked(reached);
    const auto answer = asked.post("/kv/range", etcd::range_request("/a"));
    return answer ? "ok" : to_string(answer.error());
  };
  CHECK(answer_to([](auto&) {}) == "ok");
  CHECK_THAT(answer_to([](auto& how) { how.password = "wrong"; }), Catch::Contains("password"));
  CHECK_THAT(answer_to([](auto& how) { how.user.clear(); }), Catch::Contains("user name is empty"));
  CHECK_THAT(answer_to([](auto& how) { how.ca.clear(); }), Catch::Contains("certificate"));
  CHECK(answer_to([](auto& how) { how.certificate.clear(), how.key.clear(); }) != "ok");

  etcd_store_cluster cluster(members, 1, milliseconds{120'000});
  node_calls a(cluster, 0);
  REQUIRE(a.create(vm, 0, "name: a\n") == "ok");
  REQUIRE(code_of(a.take("lease", "a")) == "ok");
  members.kill(0);
  members.start(0); // it has forgotten who has logged in
  members.wait_ready();
  CHECK(a.write(vm, 0, "name: b\n") == "ok");
  CHECK(a.config(vm, 0) == "name: b\n");
}

TEST_CASE("without a quorum etcd's writes are refused, reads go on, and it comes back") {
  etcd_members members;
  etcd_store_cluster cluster(members, 2, milliseconds{120'000});
  node_calls a(cluster, 0);
  node_calls b(cluster, 1);
  REQUIRE(a.create(vm, 0, "name: a\n") == "ok");
  REQUIRE(b.barrier() == "ok");
  members.kill(1);
  members.kill(2);
  CHECK(b.owner(vm) == cluster.name(0));
  CHECK(a.config(vm, 0) == "name: a\n");
  // The first may have been on its way when the members went.
  const auto first = a.barrier();
  CHECK((first == "refused" || first == "timeout"));
  CHECK(a.barrier() == "refused");
  CHECK(b.move(vm, 0, 1) == "refused");
  CHECK(code_of(a.take("lease", "a")) == "refused");
  CHECK(b.owner(vm) == cluster.name(0));
  members.start(1);
  members.wait_ready();
  CHECK(b.move(vm, 0, 1) == "ok");
  REQUIRE(a.barrier() == "ok");
  CHECK(a.owner(vm) == cluster.name(1));
}

} // namespace drover::contracts
