// The checks of the contract in which time and the order of several nodes' calls matter.
#include "tests/contracts/store_contract.hpp"

namespace drover::contracts {
namespace {

const vm_id vm{100};

using counts = std::map<std::string, int>;

} // namespace

counts ask_at_once(
  store_cluster& cluster, std::size_t nodes,
  const std::function<void(store&, std::size_t node, callback<done>)>& call) {
  const auto answers = std::make_shared<counts>();
  const auto arrived = std::make_shared<std::size_t>(0);
  for (std::size_t node = 0; node < nodes; ++node)
    call(cluster.at(node), node, [answers, arrived](result<done> answer) {
      ++(*answers)[code_of(answer)];
      ++*arrived;
    });
  wait_for(cluster, [&] { return *arrived == nodes; });
  return *answers;
}

void check_locks(const cluster_maker& make) {
  const auto cluster = make(2, milliseconds{120'000});
  node_calls a(*cluster, 0);
  node_calls b(*cluster, 1);

  REQUIRE(a.locks("drover").empty());
  CHECK(a.drop("drover-1", "x") == "conflict");
  REQUIRE(code_of(a.take("drover-1", "x")) == "ok");
  CHECK(code_of(a.take("drover-1", "x")) == "ok");
  const auto refused = b.take("drover-1", "y");
  REQUIRE(code_of(refused) == "conflict");
  CHECK_THAT(to_string(refused.error()), Catch::Contains("held by x"));
  CHECK(b.drop("drover-1", "y") == "conflict");

  REQUIRE(code_of(a.take("drover-2", "z")) == "ok");
  REQUIRE(code_of(a.take("other", "z")) == "ok");
  const std::vector<store_lock> ours{{"drover-1", "x"}, {"drover-2", "z"}};
  REQUIRE(b.barrier() == "ok");
  CHECK(b.locks("drover-") == ours);

  REQUIRE(a.drop("drover-1", "x") == "ok");
  CHECK(a.drop("drover-1", "x") == "conflict");
  REQUIRE(b.barrier() == "ok");
  REQUIRE(code_of(b.take("drover-1", "y")) == "ok");
  CHECK(b.locks("drover-1") == std::vector<store_lock>{{"drover-1", "y"}});
  REQUIRE(a.barrier() == "ok");
  CHECK(code_of(a.take("drover-1", "x")) == "conflict");
}

void check_lock_expiry(const cluster_maker& make) {
  // Long against a machine that is busy with other tests.
  const milliseconds expiry{1000};
  const auto cluster = make(2, expiry);
  node_calls a(*cluster, 0);
  node_calls b(*cluster, 1);
  REQUIRE(code_of(a.take("lease", "x")) == "ok");

  // Renewed all the time, it outlives its expiry twice.
  const auto renewed_until = cluster->now() + 2 * expiry;
  while (cluster->now() < renewed_until) {
    REQUIRE(code_of(a.take("lease", "x")) == "ok");
    REQUIRE(code_of(b.take("lease", "y")) == "conflict");
    cluster->step();
  }
  const auto last_renewal = cluster->now();
  wait_for(*cluster, [&] { return code_of(b.take("lease", "y")) == "ok"; });
  // Half of it, because the last renewal was asked for a little before the clock was read.
  CHECK(cluster->now() - last_renewal > expiry / 2);

  // Who slept past the expiry holds nothing: it can neither renew nor give back.
  REQUIRE(a.barrier() == "ok");
  CHECK(a.drop("lease", "x") == "conflict");
  CHECK(code_of(a.take("lease", "x")) == "conflict");
  CHECK(b.locks("lease") == std::vector<store_lock>{{"lease", "y"}});
  wait_for(*cluster, [&] { return b.locks("lease").empty(); });
}

void check_order(const cluster_maker& make) {
  const auto cluster = make(3, milliseconds{120'000});
  node_calls a(*cluster, 0);
  node_calls b(*cluster, 1);
  REQUIRE(a.create(vm, 0, "round: none\n") == "ok");
  for (std::size_t round = 0; round < 50; ++round) {
    const auto from = round % 2 == 0 ? std::size_t{0} : std::size_t{2};
    const auto to = std::size_t{2} - from;
    const auto text = "round: " + std::to_string(round) + "\n";
    REQUIRE(a.write(vm, from, text) == "ok");
    REQUIRE(a.move(vm, from, to) == "ok");
    REQUIRE(b.barrier() == "ok");
    REQUIRE(b.owner(vm) == cluster->name(to));
    REQUIRE(b.config(vm, to) == text);
    REQUIRE(b.places().at(vm) == cluster->name(to));
  }
}

void check_looks_while_moving(const cluster_maker& make) {
  const auto cluster = make(3, milliseconds{120'000});
  node_calls a(*cluster, 0);
  node_calls b(*cluster, 1);
  REQUIRE(a.create(vm, 0, "name: a\n") == "ok");
  REQUIRE(b.barrier() == "ok");
  bool moving = true;
  std::function<void(std::size_t)> keep_moving = [&](std::size_t from) {
    const auto to = std::size_t{2} - from;
    cluster->at(0).move_config(vm, cluster->name(from), cluster->name(to), [&, to](auto answer) {
      REQUIRE(code_of(answer) == "ok");
      if (moving)
        keep_moving(to);
    });
  };
  keep_moving(0);
  for (int look = 0; look < 200; ++look) {
    REQUIRE(b.owner(vm).has_value());
    REQUIRE(b.places().size() == 1);
    for (const std::size_t node : {std::size_t{0}, std::size_t{2}})
      if (const auto text = b.config(vm, node))
        REQUIRE(*text == "name: a\n");
  }
  moving = false;
  REQUIRE(a.barrier() == "ok");
}

void check_races(const cluster_maker& make) {
  constexpr std::size_t nodes = 3;
  const auto cluster = make(nodes, milliseconds{120'000});
  node_calls a(*cluster, 0);
  const counts one_wins{{"ok", 1}, {"conflict", 2}};
  for (std::uint32_t round = 0; round < 50; ++round) {
    const vm_id which{500 + round};
    REQUIRE(ask_at_once(*cluster, nodes, [&](store& port, std::size_t node, auto reply) {
              port.create_config(which, cluster->name(node), "name: a\n", reply);
            }) == one_wins);
    REQUIRE(a.barrier() == "ok");
    const auto owner = a.owner(which);
    REQUIRE(owner.has_value());

    // Each wants it for a place of its own.
    REQUIRE(ask_at_once(*cluster, nodes, [&](store& port, std::size_t node, auto reply) {
              const node_id target{"target" + std::to_string(node)};
              port.move_config(which, *owner, target, reply);
            }) == one_wins);

    const auto lock = "lock-" + std::to_string(round);
    REQUIRE(ask_at_once(*cluster, nodes, [&](store& port, std::size_t node, auto reply) {
              port.take_lock(lock, "holder" + std::to_string(node), reply);
            }) == one_wins);
  }
  REQUIRE(a.barrier() == "ok");
  CHECK(a.places().size() == 50);
  CHECK(a.locks("lock-").size() == 50);
}

} // namespace drover::contracts
