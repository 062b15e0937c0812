#include "runtime/store/store_view.hpp"

#include <algorithm>
#include <utility>

namespace drover {

void store_view::set_lag(const delay_range& lag, log_position from) {
  if (lags_.back().first == from)
    lags_.back().second = lag;
  else
    lags_.emplace_back(from, lag);
}

nanoseconds store_view::lag_of(log_position position) const {
  // The last one that begins before the entry; nearly always the last of all.
  auto lag = lags_.rbegin();
  while (lag->first >= position && std::next(lag) != lags_.rend())
    ++lag;
  luck chance{luck::mixed(seed_ + position * 0x9e3779b97f4a7c15U)};
  return lag->second.draw(chance);
}

log_time store_view::due(const store_log& log, log_position position) const {
  return std::max(seen_at_, log.entry(position).at + lag_of(position));
}

void store_view::pass(const store_log& log, log_time when) {
  ++at_;
  seen_at_ = when;
  const auto& entry = log.entry(at_);
  if (entry.what == store_log::stamp::kind::lock)
    note_lock(entry.which, when);
  if (entry.what == store_log::stamp::kind::moved && on_moved)
    on_moved(vm_id{entry.which}, at_);
}

void store_view::note_lock(std::uint32_t number, log_time when) {
  if (number >= locks_.size())
    locks_.resize(number + std::size_t{1});
  locks_[number] = when;
}

void store_view::advance(const store_log& log, log_time now) {
  const auto last = held_at_.value_or(log.end());
  while (at_ < last) {
    const auto when = due(log, at_ + 1);
    if (when > now)
      return;
    pass(log, when);
  }
}

void store_view::catch_up(const store_log& log, log_position position, log_time now) {
  while (at_ < position)
    pass(log, std::min(due(log, at_ + 1), std::max(now, seen_at_)));
}

log_time store_view::let_go(const store_log& log, log_time now) {
  advance(log, now);
  if (held_at_ && at_ < log.end()) {
    // No earlier than this, and what was due meanwhile in this one moment.
    seen_at_ = std::max(seen_at_, now + lag_of(at_ + 1));
    foreseen_ = std::max(foreseen_, seen_at_);
  }
  held_at_.reset();
  return std::max(seen_at_, now);
}

void store_view::adopt(const store_log& log, log_time now) {
  if (held_at_)
    catch_up(log, *std::exchange(held_at_, std::nullopt), now);
  while (at_ < log.end()) {
    ++at_;
    if (log.entry(at_).what == store_log::stamp::kind::lock)
      note_lock(log.entry(at_).which, now);
  }
  seen_at_ = std::max(seen_at_, now);
  foreseen_ = std::max(foreseen_, seen_at_);
}

std::optional<log_time> store_view::lock_seen(std::uint32_t number) const {
  return number < locks_.size() ? locks_[number] : std::nullopt;
}

log_time store_view::all_seen(const store_log& log) const {
  auto when = seen_at_;
  for (auto position = at_ + 1; position <= log.end(); ++position)
    when = std::max(when, log.entry(position).at + lag_of(position));
  return when;
}

log_time store_view::foresee(const store_log& log, log_position position) {
  foreseen_ = std::max(foreseen_, log.entry(position).at + lag_of(position));
  return foreseen_;
}

} // namespace drover
