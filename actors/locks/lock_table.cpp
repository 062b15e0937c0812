#include "actors/locks/lock_table.hpp"

#include "runtime/base/check.hpp"

#include <algorithm>
#include <array>
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

std::optional<error> lock_table::objection(const lease_id& id, const lock_set& wanted) const {
  if (wanted.empty())
    return error{errc::invalid, "a lock set must name something", {}};
  if (holds(id) || waits(id))
    return error{errc::conflict, "this request is already held or waiting", {}};
  for (const auto& [what, count] : wanted) {
    if (count == 0)
      return error{errc::invalid, "a lock set cannot ask for 0 units", to_string(what)};
    const auto known = stocks_.find(what);
    if (what.kind != resource_kind::vm && known == stocks_.end())
      return error{errc::invalid, "no such permit", to_string(what)};
    const auto capacity = known == stocks_.end() ? 1 : known->second.capacity;
    if (count > capacity)
      return error{
        errc::refused, "asks for " + std::to_string(count) + " of " + std::to_string(capacity),
        to_string(what)};
    std::uint64_t own = 0;
    for (auto i = held_.lower_bound({id.holder, 0});
         i != held_.end() && i->first.holder == id.holder; ++i)
      if (const auto held = i->second.find(what); held != i->second.end())
        own += held->second;
    if (own + count > capacity)
      return error{
        errc::conflict, "the holder would wait for what it holds itself", to_string(what)};
  }
  return std::nullopt;
}

/// Free units belong first to the waiters in front of `at` that were passed too often.
bool lock_table::has_room(const stock& of, std::uint32_t count, const place& at) {
  auto needed = std::uint64_t{of.used} + count;
  for (const auto& [where, units] : of.kept) {
    if (needed > of.capacity || where >= at)
      break;
    needed += units;
  }
  return needed <= of.capacity;
}

/// The first resource that has no room; null = all have.
lock_table::stock* lock_table::obstacle(const place& at, const lock_set& wanted) {
  for (const auto& [what, count] : wanted)
    if (auto& of = stocks_.at(what); !has_room(of, count, at))
      return &of;
  return nullptr;
}

/// A waiter that asks for more than a lowered capacity keeps nothing: it would only block others.
bool lock_table::keeps_units(const waiter& w) const {
  return w.passes >= passes_max &&
         std::all_of(w.wanted.begin(), w.wanted.end(), [&](const auto& entry) {
           return entry.second <= stocks_.at(entry.first).capacity;
         });
}

/// Notes what is kept for a waiter; `freed` gains what is no longer kept for it.
void lock_table::keep(const place& at, const waiter& w, resources& freed) {
  const bool keeps = keeps_units(w);
  for (const auto& [what, count] : w.wanted) {
    auto& of = stocks_.at(what);
    if (keeps)
      of.kept[at] = count;
    else if (of.kept.erase(at) > 0)
      freed.insert(what);
  }
}

void lock_table::enqueue(const place& at, waiter w, stock& watched_at) {
  watched_at.watched.insert(at);
  for (const auto& [what, count] : w.wanted) {
    auto& of = stocks_.at(what);
    ++of.waiting;
    of.passable.insert(at);
  }
  places_[w.id] = at;
  waiters_.emplace(at, std::move(w));
}

lock_table::waiter lock_table::dequeue(place at) {
  auto w = std::move(waiters_.extract(at).mapped());
  places_.erase(w.id);
  for (const auto& [what, count] : w.wanted) {
    auto& of = stocks_.at(what);
    --of.waiting;
    of.watched.erase(at);
    of.passable.erase(at);
    of.kept.erase(at);
  }
  return w;
}

void lock_table::take(const lease_id& id, const lock_set& wanted) {
  for (const auto& [what, count] : wanted) {
    auto& of = stocks_.at(what);
    of.used += count;
    DROVER_CHECK(of.used <= of.capacity, "a lock was granted beyond its capacity");
  }
  held_.emplace(id, wanted);
}

void lock_table::drop_if_unknown(const resource& what) {
  const auto found = stocks_.find(what);
  if (
    what.kind == resource_kind::vm && found != stocks_.end() && found->second.used == 0 &&
    found->second.waiting == 0)
    stocks_.erase(found);
}

void lock_table::give_back(const lease_id& id, resources& freed) {
  const auto lease = held_.extract(id);
  if (lease.empty())
    return;
  for (const auto& [what, count] : lease.mapped()) {
    auto& of = stocks_.at(what);
    DROVER_CHECK(of.used >= count, "a lock came back twice");
    of.used -= count;
    freed.insert(what);
    drop_if_unknown(what);
  }
}

void lock_table::withdraw(const lease_id& id, resources& freed) {
  const auto found = places_.find(id);
  if (found == places_.end())
    return;
  const auto w = dequeue(found->second);
  for (const auto& [what, count] : w.wanted) {
    // What was kept for it alone is free now.
    if (w.passes >= passes_max)
      freed.insert(what);
    drop_if_unknown(what);
  }
}

/// Only a pass that takes what the waiter needs delays it, and only such a pass counts.
void lock_table::count_pass(const place& winner, const lock_set& taken) {
  std::set<place> passed;
  for (const auto& [what, count] : taken) {
    const auto& passable = stocks_.at(what).passable;
    passed.insert(passable.begin(), passable.lower_bound(winner));
  }
  for (const auto& at : passed) {
    auto& w = waiters_.at(at);
    if (++w.passes < passes_max)
      continue;
    for (const auto& [what, count] : w.wanted)
      stocks_.at(what).passable.erase(at);
    resources none;
    keep(at, w, none);
  }
}

/// The first waiter from `from` on that is watched where a unit is free. What has none for it has
/// none for those behind it, and leaves `freed`.
std::optional<lock_table::place> lock_table::next_to_look_at(
  resources& freed, const place& from) const {
  std::optional<place> next;
  std::erase_if(freed, [&](const resource& what) {
    const auto of = stocks_.find(what);
    if (of == stocks_.end())
      return true;
    const auto first = of->second.watched.lower_bound(from);
    if (first == of->second.watched.end() || !has_room(of->second, 1, *first))
      return true;
    if (!next || *first < *next)
      next = *first;
    return false;
  });
  return next;
}

/// Looks in their order at the waiters that may have got room by what was freed, and grants what
/// fits. A grant takes units away and never adds any, and so does a last pass: nobody who has been
/// looked at can fit later in the walk, and nobody else could before it.
lock_table::grants lock_table::serve(resources freed) {
  grants granted;
  if (serving_ == serving::held)
    return granted;
  place from;
  while (const auto at = next_to_look_at(freed, from)) {
    from = {at->priority, at->arrival + 1};
    const auto& wanted = waiters_.at(*at).wanted;
    if (auto* full = obstacle(*at, wanted)) {
      for (const auto& [what, count] : wanted)
        stocks_.at(what).watched.erase(*at);
      full->watched.insert(*at);
      continue;
    }
    const auto w = dequeue(*at);
    take(w.id, w.wanted);
    granted.push_back(w.id);
    count_pass(*at, w.wanted);
  }
  return granted;
}

lock_table::grants lock_table::set_serving(serving s) {
  serving_ = s;
  resources all;
  for (const auto& [what, of] : stocks_)
    all.insert(what);
  return serve(std::move(all));
}

lock_table::grants lock_table::set_capacity(const resource& what, std::uint32_t capacity) {
  DROVER_CHECK(what.kind != resource_kind::vm, "a VM lock has no capacity to set");
  stocks_[what].capacity = capacity;
  resources freed{what};
  for (const auto& [at, w] : waiters_)
    if (w.wanted.contains(what))
      keep(at, w, freed);
  return serve(std::move(freed));
}

result<lock_table::grants> lock_table::acquire(
  const lease_id& id, lock_priority priority, lock_set wanted) {
  if (auto why_not = objection(id, wanted))
    return tl::unexpected<error>(std::move(*why_not));
  for (const auto& [what, count] : wanted)
    stocks_.try_emplace(what);
  const place at{priority, ++arrivals_};
  auto* full = obstacle(at, wanted);
  if (!full && serving_ == serving::held)
    full = &stocks_.at(wanted.begin()->first);
  if (full) {
    enqueue(at, waiter{id, std::move(wanted), 0}, *full);
    return grants{};
  }
  take(id, wanted);
  count_pass(at, wanted);
  return grants{id};
}

lock_table::grants lock_table::release(const lease_id& id) {
  resources freed;
  give_back(id, freed);
  withdraw(id, freed);
  return serve(std::move(freed));
}

lock_table::grants lock_table::forget(holder_id holder) {
  resources freed;
  for (auto i = held_.lower_bound({holder, 0}); i != held_.end() && i->first.holder == holder;)
    give_back((i++)->first, freed);
  for (auto i = places_.lower_bound({holder, 0}); i != places_.end() && i->first.holder == holder;)
    withdraw((i++)->first, freed);
  return serve(std::move(freed));
}

std::vector<lock_blocker> lock_table::blockers(const lease_id& id) const {
  const auto found = places_.find(id);
  if (found == places_.end())
    return {};
  const auto& at = found->second;
  std::vector<lock_blocker> answer;
  for (const auto& [what, count] : waiters_.at(at).wanted) {
    const auto& of = stocks_.at(what);
    if (has_room(of, count, at))
      continue;
    lock_blocker b{what, count, of.capacity, {}, {}};
    for (const auto& [lease, set] : held_)
      if (set.contains(what))
        b.held_by.push_back(lease);
    for (const auto& [where, units] : of.kept)
      if (where < at)
        b.kept_for.push_back(waiters_.at(where).id);
    answer.push_back(std::move(b));
  }
  return answer;
}

std::vector<resource_usage> lock_table::usage() const {
  std::vector<resource_usage> answer;
  for (const auto& [what, of] : stocks_)
    answer.push_back({what, of.capacity, of.used, of.waiting});
  return answer;
}

} // namespace drover
