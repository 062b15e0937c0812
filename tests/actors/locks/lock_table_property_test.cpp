// Long random runs of the lock table against a second, simple account of who holds what.
#include "actors/locks/lock_table.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <vector>

using namespace drover;

namespace {

/// splitmix64: the same numbers on every platform.
class dice {
public:
  explicit dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t n) {
    state_ += 0x9e3779b97f4a7c15ULL;
    auto z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return (z ^ (z >> 31U)) % n;
  }

private:
  std::uint64_t state_;
};

const std::vector<resource> permits{
  cluster_permit(),
  outbound_permit(node_id{"n1"}),
  inbound_permit(node_id{"n2"}),
  stream_permit(node_id{"n1"}),
  stream_permit(node_id{"n2"}),
  window_permit()};

/// Runs a table and accounts for it independently.
class audited_table {
public:
  explicit audited_table(std::uint64_t seed) : dice_(seed) {
    for (const auto& what : permits)
      change_capacity(what);
  }

  void random_step() {
    const auto choice = dice_.below(100);
    if (choice < 50)
      ask();
    else if (choice < 85)
      give_back();
    else if (choice < 93)
      withdraw();
    else if (choice < 97)
      kill();
    else
      change_capacity(permits[dice_.below(permits.size())]);
    audit();
  }

  /// Nobody asks any more; whoever holds gives back. Everything must end free.
  void drain() {
    // A lowered capacity may have left a waiter that can never fit: that is the operator's wish.
    for (const auto& what : permits)
      absorb(table_.set_capacity(what, 4));
    const auto bound = held_.size() + waiting_.size() + 1;
    std::size_t rounds = 0;
    for (; !held_.empty() && rounds <= bound; ++rounds) {
      const auto id = held_.begin()->first;
      held_.erase(held_.begin());
      absorb(table_.release(id));
      audit();
    }
    CHECK(rounds <= bound);
    CHECK(waiting_.empty());
    CHECK(table_.held() == 0);
    CHECK(table_.waiting() == 0);
    for (const auto& entry : table_.usage())
      CHECK(entry.used == 0);
  }

  std::size_t granted() const { return granted_; }

private:
  lock_set random_set() {
    lock_set wanted;
    const auto entries = 1 + dice_.below(3);
    for (std::uint64_t i = 0; i < entries; ++i) {
      if (dice_.below(4) == 0)
        wanted[vm_lock(vm_id{static_cast<std::uint32_t>(100 + dice_.below(5))})] = 1;
      else
        wanted[permits[dice_.below(permits.size())]] =
          1 + static_cast<std::uint32_t>(dice_.below(2));
    }
    return wanted;
  }

  void ask() {
    // Each request has its own holder, so that a self-deadlock cannot be asked for.
    const lease_id id{holder_id{++holders_}, 1};
    const auto wanted = random_set();
    auto answer = table_.acquire(id, static_cast<lock_priority>(dice_.below(3)), wanted);
    if (!answer) {
      CHECK(answer.error().code == errc::refused);
      return;
    }
    waiting_[id] = wanted;
    absorb(*answer);
  }

  void give_back() {
    if (held_.empty())
      return;
    auto i = std::next(held_.begin(), static_cast<std::ptrdiff_t>(dice_.below(held_.size())));
    const auto id = i->first;
    held_.erase(i);
    absorb(table_.release(id));
    CHECK(table_.release(id).empty());
  }

  void withdraw() {
    if (waiting_.empty())
      return;
    auto i = std::next(waiting_.begin(), static_cast<std::ptrdiff_t>(dice_.below(waiting_.size())));
    const auto id = i->first;
    waiting_.erase(i);
    absorb(table_.release(id));
  }

  void kill() {
    if (holders_ == 0)
      return;
    const holder_id dead{1 + dice_.below(holders_)};
    std::erase_if(held_, [&](const auto& entry) { return entry.first.holder == dead; });
    std::erase_if(waiting_, [&](const auto& entry) { return entry.first.holder == dead; });
    absorb(table_.forget(dead));
  }

  void change_capacity(const resource& what) {
    absorb(table_.set_capacity(what, 1 + static_cast<std::uint32_t>(dice_.below(4))));
  }

  void absorb(const lock_table::grants& granted) {
    for (const auto& id : granted) {
      const auto found = waiting_.find(id);
      REQUIRE(found != waiting_.end()); // granted once, and only to somebody who waits
      held_[id] = found->second;
      for (const auto& [what, count] : found->second)
        grew_.insert(what);
      waiting_.erase(found);
      ++granted_;
    }
  }

  void audit() {
    CHECK(table_.held() == held_.size());
    CHECK(table_.waiting() == waiting_.size());
    std::map<resource, std::uint32_t> used;
    for (const auto& [id, wanted] : held_) {
      CHECK(table_.holds(id));
      for (const auto& [what, count] : wanted)
        used[what] += count;
    }
    for (const auto& entry : table_.usage()) {
      CHECK(entry.used == used[entry.what]); // whole sets, nothing leaked
      // Beyond the capacity only where it was lowered under the holders, never by a grant.
      if (grew_.contains(entry.what))
        CHECK(entry.used <= entry.capacity);
    }
    grew_.clear();
    // Nobody waits without a reason that can be named.
    for (const auto& [id, wanted] : waiting_)
      CHECK_FALSE(table_.blockers(id).empty());
  }

  dice dice_;
  lock_table table_;
  std::map<lease_id, lock_set> held_;
  std::map<lease_id, lock_set> waiting_;
  std::set<resource> grew_;
  std::uint64_t holders_ = 0;
  std::size_t granted_ = 0;
};

} // namespace

TEST_CASE("over random runs nothing is exceeded, nothing leaks and all is free at the end") {
  std::size_t granted = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    audited_table table(seed);
    for (int step = 0; step < 150; ++step)
      table.random_step();
    table.drain();
    granted += table.granted();
  }
  CHECK(granted > 5000);
}

TEST_CASE("the same steps give the same grants") {
  const auto run = [] {
    audited_table table(42);
    std::vector<std::size_t> counts;
    for (int step = 0; step < 200; ++step) {
      table.random_step();
      counts.push_back(table.granted());
    }
    return counts;
  };
  CHECK(run() == run());
}

TEST_CASE("within a class every waiter is served although competitors never stop") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    dice luck(seed);
    lock_table table;
    const resource a = stream_permit(node_id{"n1"});
    const resource b = stream_permit(node_id{"n2"});
    CHECK(table.set_capacity(a, 2).empty());
    CHECK(table.set_capacity(b, 2).empty());
    std::vector<lease_id> held;
    const auto absorb = [&](const lock_table::grants& granted) {
      held.insert(held.end(), granted.begin(), granted.end());
    };
    std::uint64_t next = 1000;
    const auto compete = [&] {
      const lock_set wanted{{luck.below(2) == 0 ? a : b, 1}};
      absorb(*table.acquire({holder_id{++next}, 1}, lock_priority::stream, wanted));
    };
    for (int i = 0; i < 6; ++i)
      compete();
    const lease_id wide{holder_id{1}, 1};
    absorb(*table.acquire(wide, lock_priority::stream, {{a, 2}, {b, 2}}));
    int steps = 0;
    for (; !table.holds(wide) && steps < 400; ++steps) {
      compete();
      compete(); // more demand than supply, for ever
      if (held.empty())
        continue;
      const auto i = static_cast<std::ptrdiff_t>(luck.below(held.size()));
      const auto id = held[static_cast<std::size_t>(i)];
      held.erase(held.begin() + i);
      absorb(table.release(id));
    }
    CHECK(table.holds(wide));
  }
}
