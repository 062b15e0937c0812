#include "runtime/store/etcd/etcd_watcher.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace drover::etcd {
namespace {

/// The watch of a healthy cluster with nothing to tell is begun anew this often, behind one
/// request: nothing else tells a member that is stopped from one where nothing happens.
constexpr nanoseconds silence_max = std::chrono::seconds{10};
/// A write that was answered is shown within milliseconds; after this the watch is begun anew.
constexpr nanoseconds show_patience = std::chrono::seconds{1};
constexpr nanoseconds retry_pause = std::chrono::milliseconds{100};

} // namespace

struct watcher::shared {
  shared(const access& reached, std::string below_what)
    : prefix(std::move(below_what)), asked(reached) {}

  const std::string prefix;
  client asked; ///< the thread's, but for wake

  mutable std::mutex mutex;
  std::condition_variable changed;
  mirror seen;
  bool stop = false;
  error failure{errc::retry, "etcd was not asked yet", {}};
  std::thread thread;

  void run() {
    while (!is_stopped()) {
      auto kept = read_all();
      while (kept && !is_stopped())
        kept = follow();
      std::unique_lock lock(mutex);
      if (!kept)
        failure = kept.error();
      changed.wait_for(lock, retry_pause, [this] { return stop; });
    }
  }

  bool is_stopped() const {
    const std::lock_guard lock(mutex);
    return stop;
  }

  result<done> read_all() {
    const auto answer = asked.post("/kv/range", prefix_request(prefix));
    if (!answer)
      return tl::unexpected{answer.error()};
    const auto all = parse_range(*answer);
    if (!all)
      return tl::unexpected{all.error()};
    const std::lock_guard lock(mutex);
    seen.replace(*all);
    changed.notify_all();
    return done{};
  }

  /// One watch. An error where everything has to be read anew; what breaks is just begun again.
  result<done> follow() {
    std::uint64_t from = 0;
    {
      const std::lock_guard lock(mutex);
      from = seen.revision() + 1;
    }
    result<done> told = done{};
    const auto ended = asked.read_lines(
      "/watch", watch_request(prefix, from), silence_max, [&](const std::string& line) {
        const auto news = parse_watch(line);
        if (!news) {
          told = tl::unexpected{news.error()};
          return false;
        }
        if (news->is_compacted) {
          told = fail(errc::retry, "etcd has compacted what was not seen", asked.endpoint());
          return false;
        }
        const std::lock_guard lock(mutex);
        seen.apply(*news);
        changed.notify_all();
        return true;
      });
    if (!told) {
      asked.next_endpoint();
      return told;
    }
    // A member that answers is kept: nothing has happened. One that does not is left by the client.
    if (!ended && ended.error().code == errc::timeout)
      return asked.post("/kv/range", range_request(prefix)).map([](auto&&) { return done{}; });
    asked.next_endpoint();
    if (!ended) {
      std::unique_lock lock(mutex);
      failure = ended.error();
      changed.wait_for(lock, retry_pause, [this] { return stop; });
    }
    return done{};
  }
};

watcher::watcher(const access& reached, std::string prefix)
  : shared_(std::make_shared<shared>(reached, std::move(prefix))) {
  shared_->thread = std::thread([state = shared_.get()] { state->run(); });
}

watcher::watcher(watcher&&) noexcept = default;

watcher::~watcher() {
  if (!shared_)
    return;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stop = true;
    shared_->changed.notify_all();
  }
  shared_->asked.wake();
  shared_->thread.join();
}

bool watcher::wait_for(std::uint64_t revision, mono_time until) {
  std::unique_lock lock(shared_->mutex);
  const auto shown = [&] { return shared_->seen.revision() >= revision; };
  while (!shown()) {
    const auto left = until - monotonic_now();
    if (left <= nanoseconds{0})
      return false;
    if (!shared_->changed.wait_for(lock, std::min(left, show_patience), shown))
      shared_->asked.wake();
  }
  return true;
}

error watcher::last_failure() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->failure;
}

std::optional<key_value> watcher::find(const std::string& key) const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->seen.find(key);
}

std::map<std::string, key_value> watcher::below(const std::string& prefix) const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->seen.below(prefix);
}

} // namespace drover::etcd
