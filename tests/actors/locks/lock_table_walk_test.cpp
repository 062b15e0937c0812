// The lock table looks only at those waiters that may have got room. This compares it, over random
// runs, with the plain form of its rules: a walk over all waiters after every step.
#include "actors/locks/lock_table.hpp"
#include "runtime/base/luck.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

using namespace drover;

namespace {

class walking_table {
public:
  lock_table::grants set_capacity(const resource& what, std::uint32_t capacity) {
    capacities_[what] = capacity;
    return serve();
  }
  lock_table::grants acquire(const lease_id& id, lock_priority priority, lock_set wanted) {
    waiters_.emplace(std::pair{priority, ++arrivals_}, waiter{id, std::move(wanted), 0});
    return serve();
  }
  lock_table::grants release(const lease_id& id) {
    held_.erase(id);
    std::erase_if(waiters_, [&](const auto& entry) { return entry.second.id == id; });
    return serve();
  }
  lock_table::grants forget(holder_id holder) {
    std::erase_if(held_, [&](const auto& entry) { return entry.first.holder == holder; });
    std::erase_if(waiters_, [&](const auto& entry) { return entry.second.id.holder == holder; });
    return serve();
  }

private:
  struct waiter {
    lease_id id;
    lock_set wanted;
    std::uint32_t passes = 0;
  };

  std::uint64_t capacity_of(const resource& what) const {
    return what.kind == resource_kind::vm ? 1 : capacities_.at(what);
  }

  bool fits(const lock_set& wanted, const lock_set& kept) const {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& entry) {
      const auto& [what, count] = entry;
      std::uint64_t needed = count + (kept.contains(what) ? kept.at(what) : 0);
      for (const auto& [id, set] : held_)
        needed += set.contains(what) ? set.at(what) : 0;
      return needed <= capacity_of(what);
    });
  }

  bool keeps_units(const waiter& w) const {
    return w.passes >= lock_table::passes_max &&
           std::all_of(w.wanted.begin(), w.wanted.end(), [&](const auto& entry) {
             return entry.second <= capacity_of(entry.first);
           });
  }

  lock_table::grants serve() {
    lock_table::grants granted;
    while (serve_one(granted)) {
    }
    return granted;
  }

  bool serve_one(lock_table::grants& granted) {
    lock_set kept;
    for (auto i = waiters_.begin(); i != waiters_.end(); ++i) {
      if (fits(i->second.wanted, kept)) {
        const auto taken = i->second.wanted;
        for (auto passed = waiters_.begin(); passed != i; ++passed)
          if (std::any_of(taken.begin(), taken.end(), [&](const auto& entry) {
                return passed->second.wanted.contains(entry.first);
              }))
            ++passed->second.passes;
        held_[i->second.id] = taken;
        granted.push_back(i->second.id);
        waiters_.erase(i);
        return true;
      }
      if (keeps_units(i->second))
        for (const auto& [what, count] : i->second.wanted)
          kept[what] += count;
    }
    return false;
  }

  std::map<resource, std::uint32_t> capacities_;
  std::map<lease_id, lock_set> held_;
  std::map<std::pair<lock_priority, std::uint64_t>, waiter> waiters_;
  std::uint64_t arrivals_ = 0;
};

/// Drives both with the same steps.
class pair_of_tables {
public:
  explicit pair_of_tables(std::uint64_t seed) : luck_(seed) {
    permits_ = {cluster_permit(), window_permit()};
    for (const auto* node : {"n1", "n2", "n3"}) {
      permits_.push_back(outbound_permit(node_id{node}));
      permits_.push_back(inbound_permit(node_id{node}));
    }
    for (const auto& what : permits_)
      change_capacity(what);
  }

  void step() {
    const auto choice = luck_.below(100);
    if (choice < 45)
      ask();
    else if (choice < 95)
      compare([id = any_lease()](auto& table) { return table.release(id); });
    else if (choice < 98)
      compare([id = any_lease()](auto& table) { return table.forget(id.holder); });
    else
      change_capacity(permits_[luck_.below(permits_.size())]);
  }

  std::size_t granted() const { return granted_; }
  std::size_t waited() const { return waited_; }

private:
  /// Held, waiting, gone or never there.
  lease_id any_lease() {
    const auto back = std::min<std::uint64_t>(asked_, 30);
    return {holder_id{asked_ - luck_.below(back + 1)}, 1};
  }

  void ask() {
    lock_set wanted;
    const auto entries = 1 + luck_.below(3);
    for (std::uint64_t i = 0; i < entries; ++i)
      wanted[permits_[luck_.below(permits_.size())]] = 1 + (luck_.below(4) == 0 ? 1 : 0);
    if (luck_.below(3) == 0)
      wanted[vm_lock(vm_id{static_cast<std::uint32_t>(100 + luck_.below(3))})] = 1;
    const lease_id id{holder_id{++asked_}, 1};
    const auto priority = static_cast<lock_priority>(luck_.below(3));
    const auto answer = table_.acquire(id, priority, wanted);
    if (!answer)
      return;
    if (answer->empty())
      ++waited_;
    granted_ += answer->size();
    CHECK(*answer == walk_.acquire(id, priority, wanted));
  }

  void change_capacity(const resource& what) {
    const auto capacity = 1 + static_cast<std::uint32_t>(luck_.below(4));
    compare([&](auto& table) { return table.set_capacity(what, capacity); });
  }

  template <class Step>
  void compare(Step step) {
    const auto answer = step(table_);
    granted_ += answer.size();
    CHECK(answer == step(walk_));
  }

  luck luck_;
  std::vector<resource> permits_;
  lock_table table_;
  walking_table walk_;
  std::uint64_t asked_ = 0;
  std::size_t granted_ = 0;
  std::size_t waited_ = 0;
};

} // namespace

TEST_CASE("the table grants what a walk over all waiters grants, in the same order") {
  std::size_t granted = 0;
  std::size_t waited = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    pair_of_tables both(seed);
    for (int step = 0; step < 400; ++step)
      both.step();
    granted += both.granted();
    waited += both.waited();
  }
  CHECK(granted > 3000);
  CHECK(waited > 3000);
}
