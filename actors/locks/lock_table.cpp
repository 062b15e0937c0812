#include "actors/locks/lock_table.hpp"

#include "runtime/base/check.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace drover {
namespace {

constexpr std::array<std::pair<resource_kind, std::string_view>, 6> kind_names{{
  {resource_kind::vm, "vm"},
  {resource_kind::cluster, "cluster"},
  {resource_kind::outbound, "outbound"},
  {resource_kind::inbound, "inbound"},
  {resource_kind::stream, "stream"},
  {resource_kind::window, "window"},
}};

bool share_a_resource(const lock_set& a, const lock_set& b) {
  return std::any_of(
    a.begin(), a.end(), [&](const auto& entry) { return b.contains(entry.first); });
}

} // namespace

std::string_view to_string(resource_kind kind) {
  for (const auto& [value, name] : kind_names)
    if (value == kind)
      return name;
  return "vm";
}

std::string to_string(const resource& what) {
  std::string text{to_string(what.kind)};
  return what.name.empty() ? text : text + "/" + what.name;
}

std::uint32_t lock_table::capacity_of(const resource& what) const {
  if (what.kind == resource_kind::vm)
    return 1;
  const auto found = capacities_.find(what);
  return found == capacities_.end() ? 0 : found->second;
}

std::uint32_t lock_table::used_of(const resource& what) const {
  const auto found = used_.find(what);
  return found == used_.end() ? 0 : found->second;
}

const lock_table::waiter* lock_table::find_waiter(const lease_id& id) const {
  for (const auto& [where, w] : waiters_)
    if (w.id == id)
      return &w;
  return nullptr;
}

std::optional<error> lock_table::objection(const lease_id& id, const lock_set& wanted) const {
  if (wanted.empty())
    return error{errc::invalid, "a lock set must name something", {}};
  if (holds(id) || waits(id))
    return error{errc::conflict, "this request is already held or waiting", {}};
  for (const auto& [what, count] : wanted) {
    if (count == 0)
      return error{errc::invalid, "a lock set cannot ask for 0 units", to_string(what)};
    if (what.kind != resource_kind::vm && !capacities_.contains(what))
      return error{errc::invalid, "no such permit", to_string(what)};
    if (count > capacity_of(what))
      return error{
        errc::refused,
        "asks for " + std::to_string(count) + " of " + std::to_string(capacity_of(what)),
        to_string(what)};
    std::uint64_t own = 0;
    for (const auto& [lease, set] : held_)
      if (const auto held = set.find(what); lease.holder == id.holder && held != set.end())
        own += held->second;
    if (own + count > capacity_of(what))
      return error{
        errc::conflict, "the holder would wait for what it holds itself", to_string(what)};
  }
  return std::nullopt;
}

bool lock_table::has_room(const resource& what, std::uint32_t count, const kept_units& kept) const {
  const auto reserved = kept.find(what);
  const std::uint64_t owed = reserved == kept.end() ? 0 : reserved->second;
  return used_of(what) + owed + count <= capacity_of(what);
}

bool lock_table::fits(const lock_set& wanted, const kept_units& kept) const {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& entry) {
    return has_room(entry.first, entry.second, kept);
  });
}

/// A waiter that asks for more than a lowered capacity keeps nothing: it would only block others.
bool lock_table::keeps_units(const waiter& w) const {
  return w.passes >= passes_max &&
         std::all_of(w.wanted.begin(), w.wanted.end(), [&](const auto& entry) {
           return entry.second <= capacity_of(entry.first);
         });
}

void lock_table::take(const lease_id& id, const lock_set& wanted) {
  for (const auto& [what, count] : wanted) {
    used_[what] += count;
    DROVER_CHECK(used_[what] <= capacity_of(what), "a lock was granted beyond its capacity");
  }
  held_.emplace(id, wanted);
}

void lock_table::give_back(const lease_id& id) {
  const auto lease = held_.find(id);
  if (lease == held_.end()) {
    std::erase_if(waiters_, [&](const auto& entry) { return entry.second.id == id; });
    return;
  }
  for (const auto& [what, count] : lease->second) {
    const auto used = used_.find(what);
    DROVER_CHECK(used != used_.end() && used->second >= count, "a lock came back twice");
    used->second -= count;
    if (used->second == 0)
      used_.erase(used);
  }
  held_.erase(lease);
}

/// Only a pass that takes what the waiter needs delays it, and only such a pass counts. True when
/// this was the last pass of somebody.
bool lock_table::count_pass(const std::vector<place>& passed, const lock_set& taken) {
  bool last = false;
  for (const auto& where : passed) {
    auto& w = waiters_.at(where);
    if (w.passes >= passes_max || !share_a_resource(w.wanted, taken))
      continue;
    ++w.passes;
    last = last || keeps_units(w);
  }
  return last;
}

/// Walks the waiters in their order and grants whatever fits. A grant takes units away and never
/// adds any, so nobody who was passed can fit later in the walk; but when a waiter has been passed
/// for the last time, the rest of the walk must heed it, so the walk begins again.
lock_table::grants lock_table::serve() {
  grants granted;
  kept_units kept;
  std::vector<place> passed;
  for (auto i = waiters_.begin(); i != waiters_.end();) {
    if (!fits(i->second.wanted, kept)) {
      if (keeps_units(i->second))
        for (const auto& [what, count] : i->second.wanted)
          kept[what] += count;
      passed.push_back(i->first);
      ++i;
      continue;
    }
    const auto w = std::move(i->second);
    i = waiters_.erase(i);
    take(w.id, w.wanted);
    granted.push_back(w.id);
    if (count_pass(passed, w.wanted)) {
      kept.clear();
      passed.clear();
      i = waiters_.begin();
    }
  }
  return granted;
}

lock_table::grants lock_table::set_capacity(const resource& what, std::uint32_t capacity) {
  DROVER_CHECK(what.kind != resource_kind::vm, "a VM lock has no capacity to set");
  capacities_[what] = capacity;
  return serve();
}

result<lock_table::grants> lock_table::acquire(
  const lease_id& id, lock_priority priority, lock_set wanted) {
  if (auto why_not = objection(id, wanted))
    return tl::unexpected<error>(std::move(*why_not));
  waiters_.emplace(place{priority, ++arrivals_}, waiter{id, std::move(wanted), 0});
  return serve();
}

lock_table::grants lock_table::release(const lease_id& id) {
  give_back(id);
  return serve();
}

lock_table::grants lock_table::forget(holder_id holder) {
  std::vector<lease_id> theirs;
  for (const auto& [id, wanted] : held_)
    if (id.holder == holder)
      theirs.push_back(id);
  for (const auto& id : theirs)
    give_back(id);
  std::erase_if(waiters_, [&](const auto& entry) { return entry.second.id.holder == holder; });
  return serve();
}

std::vector<lock_blocker> lock_table::blockers(const lease_id& id) const {
  kept_units kept;
  std::map<resource, std::vector<lease_id>> kept_for;
  for (const auto& [where, w] : waiters_) {
    if (w.id != id) {
      if (keeps_units(w))
        for (const auto& [what, count] : w.wanted) {
          kept[what] += count;
          kept_for[what].push_back(w.id);
        }
      continue;
    }
    std::vector<lock_blocker> answer;
    for (const auto& [what, count] : w.wanted) {
      if (has_room(what, count, kept))
        continue;
      lock_blocker b{what, count, capacity_of(what), {}, {}};
      for (const auto& [lease, set] : held_)
        if (set.contains(what))
          b.held_by.push_back(lease);
      if (const auto waiting = kept_for.find(what); waiting != kept_for.end())
        b.kept_for = waiting->second;
      answer.push_back(std::move(b));
    }
    return answer;
  }
  return {};
}

std::vector<resource_usage> lock_table::usage() const {
  std::set<resource> known;
  for (const auto& [what, capacity] : capacities_)
    known.insert(what);
  for (const auto& [what, count] : used_)
    known.insert(what);
  for (const auto& [where, w] : waiters_)
    for (const auto& [what, count] : w.wanted)
      known.insert(what);
  std::vector<resource_usage> answer;
  for (const auto& what : known) {
    const auto waiting = std::count_if(waiters_.begin(), waiters_.end(), [&](const auto& entry) {
      return entry.second.wanted.contains(what);
    });
    answer.push_back({what, capacity_of(what), used_of(what), static_cast<std::uint32_t>(waiting)});
  }
  return answer;
}

} // namespace drover
