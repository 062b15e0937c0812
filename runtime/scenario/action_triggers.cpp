#include "runtime/scenario/action_triggers.hpp"

#include <algorithm>

namespace drover {

action_triggers::action_triggers(const std::vector<scenario_action>& actions, luck chance) {
  for (const auto& a : actions) {
    entry e;
    if (a.when)
      e.waits_for.emplace(drawn(*a.when, chance));
    e.after = a.after;
    entries_.push_back(std::move(e));
  }
}

void action_triggers::begin(mono_time now) {
  const std::lock_guard guard{mutex_};
  for (auto& e : entries_)
    if (!e.waits_for)
      e.due = now + e.after;
  changed_.notify_all();
}

void action_triggers::take(const trace_event& event) {
  const std::lock_guard guard{mutex_};
  for (auto& e : entries_)
    if (e.waits_for && !e.due && e.waits_for->take(event)) {
      e.due = monotonic_now() + e.after;
      changed_.notify_all();
    }
}

std::optional<std::size_t> action_triggers::earliest() const {
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (
      entries_[i].due && !entries_[i].handed_out &&
      (!first || *entries_[i].due < *entries_[*first].due))
      first = i;
  return first;
}

std::optional<std::size_t> action_triggers::next(mono_time until) {
  std::unique_lock lock{mutex_};
  const auto wakes = wakes_;
  for (;;) {
    const auto now = monotonic_now();
    const auto first = earliest();
    if (first && *entries_[*first].due <= now) {
      entries_[*first].handed_out = true;
      return first;
    }
    if (now >= until || wakes != wakes_)
      return std::nullopt;
    const auto wait = first ? std::min(until, *entries_[*first].due) - now : until - now;
    changed_.wait_for(lock, wait);
  }
}

void action_triggers::wake() {
  const std::lock_guard guard{mutex_};
  ++wakes_;
  changed_.notify_all();
}

std::vector<std::size_t> action_triggers::never_due() const {
  const std::lock_guard guard{mutex_};
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (!entries_[i].handed_out)
      left.push_back(i);
  return left;
}

} // namespace drover
