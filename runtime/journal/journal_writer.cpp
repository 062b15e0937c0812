#include "runtime/journal/journal_writer.hpp"

#include "runtime/base/check.hpp"

#include <future>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace drover {
namespace {

/// What is written down comes before the writing.
constexpr int niceness = 10;

} // namespace

journal_writer::journal_writer(
  std::shared_ptr<journal> into, std::function<void(const error&)> complain)
  : into_(std::move(into)), complain_(std::move(complain)) {
  worker_ = std::thread{[this] { write_until_closed(); }};
}

journal_writer::~journal_writer() { close(); }

void journal_writer::follow(std::string id, const std::vector<journal_vm>& vms) {
  const std::lock_guard guard{mutex_};
  DROVER_CHECK(id_.empty(), "a writer follows one run");
  id_ = std::move(id);
  book_ = journal_book{vms};
}

void journal_writer::take(const trace_event& event) {
  if (!journal_book::keeps(event))
    return;
  // Nobody is woken, and the text is made by the writer: this may be inside a pause.
  const std::lock_guard guard{mutex_};
  if (!id_.empty() && !closing_)
    queue_.push_back({event});
}

bool journal_writer::put_urgently(item one) {
  const std::lock_guard guard{mutex_};
  if (id_.empty() || closing_)
    return false;
  queue_.push_back(std::move(one));
  hurry_ = true;
  wake_.notify_one();
  return true;
}

void journal_writer::write_ahead(vm_id vm, wall_time now, std::function<void()> written) {
  const auto tell = [written](const result<done>&) { written(); };
  if (!put_urgently({ahead{vm, now}, tell}))
    written();
}

result<done> journal_writer::write(journal_change change) {
  std::promise<result<done>> ended;
  auto answer = ended.get_future();
  const auto tell = [&ended](const result<done>& r) { ended.set_value(r); };
  if (!put_urgently({std::move(change), tell}))
    return fail(errc::refused, "no run is written down");
  return answer.get();
}

void journal_writer::close() {
  {
    const std::lock_guard guard{mutex_};
    closing_ = true;
    wake_.notify_one();
  }
  if (worker_.joinable())
    worker_.join();
}

void journal_writer::write_until_closed() {
  // On Linux a niceness is a thread's own; where it cannot be set, the writer is only less polite.
  static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), niceness));
  std::unique_lock guard{mutex_};
  for (bool last = false; !last;) {
    wake_.wait_for(guard, delay_max, [this] { return closing_ || hurry_; });
    last = closing_;
    hurry_ = false;
    const auto items = std::exchange(queue_, {});
    guard.unlock();
    if (!items.empty())
      write_all(items);
    guard.lock();
  }
}

std::vector<journal_change> journal_writer::changes_of(const item& one) {
  if (const auto* event = std::get_if<trace_event>(&one.what))
    return book_.take(*event);
  if (const auto* begins = std::get_if<ahead>(&one.what))
    return book_.begins(begins->vm, begins->now);
  return {std::get<journal_change>(one.what)};
}

void journal_writer::write_all(const std::vector<item>& items) {
  std::vector<journal_change> changes;
  for (const auto& one : items)
    for (auto& change : changes_of(one))
      changes.push_back(std::move(change));
  const auto written = into_->write(id_, changes);
  if (!written && !std::exchange(complained_, true))
    complain_(written.error());
  for (const auto& one : items)
    if (one.written)
      one.written(written);
}

} // namespace drover
