#include "runtime/store/etcd/etcd_write.hpp"

#include <utility>

namespace drover::etcd {
namespace {

std::uint64_t revision_of(const write::present& entry) { return entry ? entry->mod_revision : 0; }

} // namespace

write::write(
  target about, decision decide, present seen, std::optional<std::uint64_t> mark_revision)
  : about_(std::move(about)), decide_(std::move(decide)), there_(std::move(seen)),
    is_newest_(about_.key.empty()), mark_revision_(mark_revision) {}

result<std::optional<transaction>> write::next() {
  if (!mark_revision_)
    return std::nullopt;
  auto made = decide_(there_);
  if (!made && !is_newest_)
    return std::nullopt; // a view that lags can say yes, but not no
  if (!made)
    return tl::unexpected{made.error()};
  made->conditions.insert(made->conditions.begin(), {about_.mark_key, *mark_revision_});
  if (!about_.key.empty())
    made->conditions.push_back({about_.key, revision_of(there_)});
  made->puts.push_back({about_.mark_key, about_.mark});
  return std::move(*made);
}

void write::take_newest(const present& mark, const present& entry, std::uint64_t revision) {
  mark_revision_ = revision_of(mark);
  there_ = entry;
  judged_at_ = revision;
  is_newest_ = true;
}

std::optional<std::uint64_t> write::take_answer(const transaction_answer& answer) {
  if (answer.succeeded) {
    mark_revision_ = answer.revision;
    return answer.revision;
  }
  const auto mark = answer.present.empty() ? present{} : answer.present.front();
  const bool was_done = may_be_done_ && mark && mark->value == about_.mark;
  // Revisions only grow: a copy that is still under way asks for one that is past.
  may_be_done_ = false;
  take_newest(
    mark, about_.key.empty() || answer.present.empty() ? present{} : answer.present.back(),
    answer.revision);
  return was_done ? std::optional{mark->mod_revision} : std::nullopt;
}

void write::take_failure(errc code) { may_be_done_ = may_be_done_ || is_unknown(code); }

} // namespace drover::etcd
