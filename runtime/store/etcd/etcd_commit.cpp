// Writes on their way to the cluster: asked again of another member until they are done, refused or
// given up.
#include "runtime/store/etcd/etcd_calls.hpp"
#include "runtime/store/etcd/etcd_write.hpp"

#include <thread>

namespace drover {
namespace {

/// Shorter than the time after which the queue gives a call up, so that the error is a good one.
constexpr nanoseconds patience = std::chrono::seconds{8};
/// After a write that was refused the next ones are given up sooner, one at a time behind each
/// other as they are; when there is a quorum again, one attempt is enough.
constexpr nanoseconds patience_refused = std::chrono::seconds{1};
/// Between two attempts: an election takes one to three seconds.
constexpr nanoseconds pause_between = std::chrono::milliseconds{100};

/// Nothing that another member or another moment would change.
bool is_final(errc code) { return code == errc::invalid || code == errc::bug; }

} // namespace

result<done> etcd_calls::seen_anything() {
  if (watcher_.wait_for(1, monotonic_now() + patience))
    return done{};
  return tl::unexpected{watcher_.last_failure()};
}

/// What may be asked twice without harm: of one member after the other, as long as one may answer.
result<std::string> etcd_calls::ask(const std::string& path, const std::string& body) {
  const auto until = monotonic_now() + (was_refused_ ? patience_refused : patience);
  for (;;) {
    auto answer = client_.post(path, body);
    was_refused_ = was_refused_ && !answer;
    if (answer || is_final(answer.error().code) || answer.error().code == errc::conflict)
      return answer;
    if (monotonic_now() >= until) {
      was_refused_ = true;
      return fail(errc::refused, answer.error().what, answer.error().context);
    }
    std::this_thread::sleep_for(pause_between);
  }
}

result<etcd::range_answer> etcd_calls::read_newest(const std::string& key) {
  const auto answer = client_.post("/kv/range", etcd::range_request(key));
  if (!answer)
    return tl::unexpected{answer.error()};
  return etcd::parse_range(*answer);
}

result<done> etcd_calls::read_newest(etcd::write& made, const std::string& key) {
  const auto first = [](const etcd::range_answer& from) {
    return from.entries.empty() ? present{} : present{from.entries.front()};
  };
  const auto mark = read_newest(node_key_);
  if (!mark)
    return tl::unexpected{mark.error()};
  const auto entry = key.empty() ? mark : read_newest(key);
  if (!entry)
    return tl::unexpected{entry.error()};
  made.take_newest(first(*mark), key.empty() ? present{} : first(*entry), entry->revision);
  return done{};
}

/// The write is there; the port's word is that this node sees it when it is answered.
result<done> etcd_calls::show(std::uint64_t revision) {
  if (watcher_.wait_for(revision, monotonic_now() + patience))
    return done{};
  return fail(errc::timeout, "etcd's watch does not show what was written", options_.node.value);
}

result<std::optional<std::uint64_t>> etcd_calls::attempt(
  etcd::write& made, const std::string& key) {
  auto next = made.next();
  if (next && !*next) {
    if (const auto read = read_newest(made, key); !read)
      return tl::unexpected{read.error()};
    next = made.next();
  }
  if (!next || !*next)
    return tl::unexpected{next ? error{errc::bug, "nothing to write", key} : next.error()};
  const auto sent = client_.post("/kv/txn", etcd::transaction_request(**next));
  const auto answer = sent ? etcd::parse_transaction(*sent) : tl::unexpected{sent.error()};
  if (!answer) {
    made.take_failure(answer.error().code);
    return tl::unexpected{answer.error()};
  }
  return made.take_answer(*answer);
}

result<done> etcd_calls::commit(const std::string& key, const decision& decide) {
  const auto until = monotonic_now() + (was_refused_ ? patience_refused : patience);
  const auto mark = instance_ + ":" + std::to_string(++writes_);
  etcd::write made{
    {node_key_, mark, key}, decide, key.empty() ? present{} : watcher_.find(key), mark_revision_};
  error why{errc::retry, "etcd gave no answer in time", options_.node.value};
  while (monotonic_now() < until) {
    const auto attempted = attempt(made, key);
    mark_revision_ = made.mark_revision();
    if (attempted)
      was_refused_ = false;
    if (attempted && *attempted)
      return show(**attempted);
    if (attempted)
      continue;
    // A member that is gone says less about the cluster than one that answers.
    if (attempted.error().code != errc::retry || why.code != errc::refused)
      why = attempted.error();
    if (why.code == errc::conflict) {
      // Who was too late is shown what was first.
      const auto shown = show(made.judged_at());
      return shown ? tl::unexpected{why} : shown;
    }
    if (is_final(why.code))
      break;
    std::this_thread::sleep_for(pause_between);
  }
  if (made.may_be_done())
    why.code = errc::timeout;
  else if (!is_final(why.code))
    why.code = errc::refused;
  was_refused_ = true;
  return tl::unexpected{why};
}

} // namespace drover
