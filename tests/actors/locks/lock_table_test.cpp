#include "actors/locks/lock_table.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace drover;

namespace {

using grants = lock_table::grants;

const node_id n1{"n1"};
const node_id n2{"n2"};
const node_id n3{"n3"};

lease_id lease(std::uint64_t holder, std::uint64_t number = 1) {
  return {holder_id{holder}, number};
}

lock_set stream_between(const node_id& source, const node_id& target) {
  return {{stream_permit(source), 1}, {stream_permit(target), 1}};
}

/// Three nodes with two streams each, one window, a cluster permit of four.
lock_table small_cluster() {
  lock_table table;
  for (const auto& n : {n1, n2, n3})
    CHECK(table.set_capacity(stream_permit(n), 2).empty());
  CHECK(table.set_capacity(window_permit(), 1).empty());
  CHECK(table.set_capacity(cluster_permit(), 4).empty());
  return table;
}

grants ask(
  lock_table& table, const lease_id& id, lock_set wanted,
  lock_priority priority = lock_priority::stream) {
  auto answer = table.acquire(id, priority, std::move(wanted));
  REQUIRE(answer.has_value());
  return *answer;
}

} // namespace

TEST_CASE("a VM's lock is exclusive and passes on in the order of asking") {
  lock_table table;
  const lock_set vm{{vm_lock(vm_id{105}), 1}};
  CHECK(ask(table, lease(1), vm) == grants{lease(1)});
  CHECK(ask(table, lease(2), vm).empty());
  CHECK(ask(table, lease(3), vm).empty());
  CHECK(table.release(lease(1)) == grants{lease(2)});
  CHECK(table.release(lease(2)) == grants{lease(3)});
  CHECK(table.release(lease(3)).empty());
  CHECK(table.usage().empty());
}

TEST_CASE("a set is taken whole or not at all") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), {{window_permit(), 1}}) == grants{lease(1)});
  CHECK(ask(table, lease(2), {{window_permit(), 1}, {cluster_permit(), 3}}).empty());
  // The waiter holds none of the cluster permits meanwhile.
  CHECK(ask(table, lease(3), {{cluster_permit(), 4}}) == grants{lease(3)});
  CHECK(table.release(lease(1)).empty());
  CHECK(table.release(lease(3)) == grants{lease(2)});
}

TEST_CASE("a released lease is released once, however often it is said") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), {{cluster_permit(), 3}}) == grants{lease(1)});
  CHECK(table.release(lease(1)).empty());
  CHECK(table.release(lease(1)).empty());
  CHECK(table.release(lease(77)).empty());
  CHECK(ask(table, lease(2), {{cluster_permit(), 4}}) == grants{lease(2)});
  CHECK(ask(table, lease(3), {{cluster_permit(), 1}}).empty());
}

TEST_CASE("a release withdraws a request that still waits") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), {{window_permit(), 1}}) == grants{lease(1)});
  CHECK(ask(table, lease(2), {{window_permit(), 1}}).empty());
  CHECK(table.release(lease(2)).empty());
  CHECK_FALSE(table.waits(lease(2)));
  CHECK(table.release(lease(1)).empty());
  CHECK(table.held() == 0);
}

TEST_CASE("a withdrawn waiter frees those for whom it kept them waiting") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), stream_between(n1, n2)) == grants{lease(1)});
  CHECK(ask(table, lease(2), stream_between(n1, n2)) == grants{lease(2)});
  CHECK(table.set_capacity(stream_permit(n1), 3).empty());
  CHECK(ask(table, lease(3), stream_between(n1, n2)).empty());
  // Passed as often as is allowed, the waiter keeps n1's free stream.
  for (std::uint64_t i = 0; i < lock_table::passes_max; ++i) {
    CHECK(ask(table, lease(10 + i), stream_between(n1, n3)) == grants{lease(10 + i)});
    CHECK(table.release(lease(10 + i)).empty());
  }
  CHECK(ask(table, lease(50), stream_between(n1, n3)).empty());
  CHECK(table.blockers(lease(50)).front().kept_for == std::vector<lease_id>{lease(3)});
  CHECK(table.release(lease(3)) == grants{lease(50)});
}

TEST_CASE("what serves the window never waits behind what prepares") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), {{cluster_permit(), 4}}) == grants{lease(1)});
  CHECK(ask(table, lease(2), {{cluster_permit(), 1}}, lock_priority::prepare).empty());
  CHECK(ask(table, lease(3), {{cluster_permit(), 4}}, lock_priority::window).empty());
  CHECK(ask(table, lease(4), {{cluster_permit(), 4}}, lock_priority::stream).empty());
  CHECK(table.release(lease(1)) == grants{lease(3)});
  CHECK(table.release(lease(3)) == grants{lease(4)});
  CHECK(table.release(lease(4)) == grants{lease(2)});
}

TEST_CASE("a waiter passed too often gets its turn although others never stop asking") {
  auto table = small_cluster();
  // Two streams at n2 are busy for ever in turns; the waiter needs both at once.
  CHECK(ask(table, lease(1), {{stream_permit(n2), 1}}) == grants{lease(1)});
  CHECK(ask(table, lease(2), {{stream_permit(n2), 2}}).empty());
  std::uint64_t next = 10;
  std::uint64_t held = 1;
  int rounds = 0;
  for (; table.waits(lease(2)) && rounds < 100; ++rounds) {
    const auto id = ++next;
    const bool passed = !ask(table, lease(id), {{stream_permit(n2), 1}}).empty();
    const auto freed = table.release(lease(held));
    held = id;
    if (!passed)
      CHECK(freed == grants{lease(2)});
  }
  CHECK(table.holds(lease(2)));
  CHECK(rounds <= static_cast<int>(lock_table::passes_max) + 1);
}

TEST_CASE("a waiter lets others pass that can use what it cannot") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), stream_between(n3, n2)) == grants{lease(1)});
  CHECK(ask(table, lease(2), stream_between(n3, n2)) == grants{lease(2)});
  CHECK(ask(table, lease(3), stream_between(n1, n2)).empty());
  // n1's uplink does not idle while its first waiter waits for n2.
  CHECK(table.set_capacity(stream_permit(n3), 4).empty());
  CHECK(ask(table, lease(4), stream_between(n1, n3)) == grants{lease(4)});
}

TEST_CASE("a waiter's last pass is heeded within the step in which it happens") {
  lock_table table;
  CHECK(table.set_capacity(cluster_permit(), 10).empty());
  CHECK(table.set_capacity(window_permit(), 1).empty());
  CHECK(ask(table, lease(1), {{window_permit(), 1}}) == grants{lease(1)});
  CHECK(ask(table, lease(2), {{cluster_permit(), 10}}) == grants{lease(2)});
  CHECK(ask(table, lease(3), {{cluster_permit(), 1}, {window_permit(), 1}}).empty());
  for (std::uint64_t i = 10; i < 30; ++i)
    CHECK(ask(table, lease(i), {{cluster_permit(), 1}}).empty());
  // Of ten units, one is kept for the waiter once it has been passed often enough.
  CHECK(table.release(lease(2)).size() == 9);
  CHECK(table.release(lease(1)) == grants{lease(3)});
}

TEST_CASE("a grant that takes nothing of a waiter's does not count as passing it") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), {{window_permit(), 1}}) == grants{lease(1)});
  CHECK(ask(table, lease(2), {{window_permit(), 1}, {cluster_permit(), 1}}).empty());
  for (std::uint64_t i = 10; i < 10 + 2 * lock_table::passes_max; ++i) {
    CHECK(ask(table, lease(i), {{stream_permit(n1), 1}}) == grants{lease(i)});
    CHECK(table.release(lease(i)).empty());
  }
  CHECK(ask(table, lease(3), {{cluster_permit(), 4}}) == grants{lease(3)});
}

TEST_CASE("nothing is kept for a waiter that a lowered capacity cannot serve") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), {{window_permit(), 1}}) == grants{lease(1)});
  CHECK(ask(table, lease(2), {{window_permit(), 1}, {cluster_permit(), 3}}).empty());
  for (std::uint64_t i = 10; i < 10 + lock_table::passes_max; ++i) {
    CHECK(ask(table, lease(i), {{cluster_permit(), 4}}) == grants{lease(i)});
    CHECK(table.release(lease(i)).empty());
  }
  CHECK(ask(table, lease(3), {{cluster_permit(), 2}}).empty());
  CHECK(table.set_capacity(cluster_permit(), 2) == grants{lease(3)});
  CHECK(table.set_capacity(cluster_permit(), 5).empty());
  CHECK(table.release(lease(1)) == grants{lease(2)});
}

TEST_CASE("a dead holder's leases and waits are all given back") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1, 1), {{window_permit(), 1}}) == grants{lease(1, 1)});
  CHECK(ask(table, lease(1, 2), {{cluster_permit(), 3}}) == grants{lease(1, 2)});
  CHECK(ask(table, lease(2), {{window_permit(), 1}, {cluster_permit(), 2}}).empty());
  CHECK(
    ask(table, lease(1, 3), {{cluster_permit(), 1}, {stream_permit(n1), 2}}) ==
    grants{lease(1, 3)});
  CHECK(table.forget(holder_id{1}) == grants{lease(2)});
  CHECK(table.held() == 1);
  CHECK(table.forget(holder_id{1}).empty());
}

TEST_CASE("a request that can never be granted is refused at once") {
  auto table = small_cluster();
  const auto why = [&](const lease_id& id, lock_set wanted) {
    auto answer = table.acquire(id, lock_priority::prepare, std::move(wanted));
    REQUIRE_FALSE(answer.has_value());
    return answer.error().code;
  };
  CHECK(why(lease(1), {}) == errc::invalid);
  CHECK(why(lease(1), {{window_permit(), 0}}) == errc::invalid);
  CHECK(why(lease(1), {{inbound_permit(n1), 1}}) == errc::invalid);
  CHECK(why(lease(1), {{window_permit(), 2}}) == errc::refused);
  CHECK(why(lease(1), {{vm_lock(vm_id{100}), 2}}) == errc::refused);
  CHECK(ask(table, lease(1), {{cluster_permit(), 3}}) == grants{lease(1)});
  CHECK(why(lease(1), {{window_permit(), 1}}) == errc::conflict);
  CHECK(why(lease(1, 2), {{cluster_permit(), 2}}) == errc::conflict);
  CHECK(table.waiting() == 0);
}

TEST_CASE("capacity can grow and shrink while permits are held") {
  auto table = small_cluster();
  for (std::uint64_t i = 1; i <= 4; ++i)
    CHECK(ask(table, lease(i), {{cluster_permit(), 1}}) == grants{lease(i)});
  CHECK(ask(table, lease(5), {{cluster_permit(), 1}}).empty());
  CHECK(ask(table, lease(6), {{cluster_permit(), 1}}).empty());
  CHECK(table.set_capacity(cluster_permit(), 2).empty());
  CHECK(table.release(lease(1)).empty());
  CHECK(table.release(lease(2)).empty());
  CHECK(table.release(lease(3)) == grants{lease(5)});
  CHECK(table.set_capacity(cluster_permit(), 8) == grants{lease(6)});
}

TEST_CASE("blockers name who holds, and usage counts") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), {{window_permit(), 1}}) == grants{lease(1)});
  CHECK(ask(table, lease(2), {{window_permit(), 1}, {cluster_permit(), 1}}).empty());
  CHECK(
    table.blockers(lease(2)) == std::vector<lock_blocker>{{window_permit(), 1, 1, {lease(1)}, {}}});
  CHECK(table.blockers(lease(1)).empty());
  const auto usage = table.usage();
  CHECK(usage.front() == resource_usage{cluster_permit(), 4, 0, 1});
  CHECK(usage.back() == resource_usage{window_permit(), 1, 1, 1});
  CHECK(to_string(stream_permit(n1)) == "stream/n1");
}

TEST_CASE("while the table is held nobody is served, and what is held stays held") {
  auto table = small_cluster();
  CHECK(ask(table, lease(1), stream_between(n1, n2)) == grants{lease(1)});
  CHECK(table.set_serving(serving::held).empty());
  CHECK(ask(table, lease(2), stream_between(n1, n3)).empty()); // There would be room.
  CHECK(ask(table, lease(3), {{vm_lock(vm_id{105}), 1}}).empty());
  CHECK(table.holds(lease(1)));
  CHECK(table.waits(lease(2)));
  CHECK(table.release(lease(1)).empty());
  CHECK(table.release(lease(3)).empty()); // Who does not want any more leaves.
  CHECK(table.set_capacity(window_permit(), 2).empty());
  CHECK(table.held() == 0);
  CHECK(table.set_serving(serving::held).empty());
  CHECK(table.set_serving(serving::open) == grants{lease(2)});
  CHECK(ask(table, lease(4), stream_between(n1, n2)) == grants{lease(4)});
}

TEST_CASE("a table that is opened again serves in the order of asking, as far as there is room") {
  auto table = small_cluster();
  CHECK(table.set_serving(serving::held).empty());
  for (std::uint64_t i = 1; i <= 6; ++i)
    CHECK(ask(table, lease(i), stream_between(n1, i % 2 == 0 ? n2 : n3)).empty());
  CHECK(ask(table, lease(9), {{window_permit(), 1}}, lock_priority::window).empty());
  CHECK(table.set_serving(serving::open) == grants{lease(9), lease(1), lease(2)});
  CHECK(table.release(lease(1)) == grants{lease(3)});
  CHECK(table.release(lease(2)) == grants{lease(4)});
}
