#include "runtime/program/link_scheduler.hpp"

#include <asio/dispatch.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <caf/detail/simple_actor_clock.hpp>
#include <caf/logger.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

namespace drover {
namespace {

/// Messages of one actor at a time, and actors before the links have their turn again.
constexpr std::size_t messages_at_once = 100;
constexpr int actors_at_once = 64;

/// The timers, on the loop's thread. Armed from any thread.
class loop_clock final : public caf::detail::simple_actor_clock,
                         public std::enable_shared_from_this<loop_clock> {
public:
  explicit loop_clock(asio::io_context& context) : context_(context), timer_(context) {}

  void set_ordinary_timeout(
    time_point t, caf::abstract_actor* self, caf::atom_value type, std::uint64_t id) override {
    change([&] { simple_actor_clock::set_ordinary_timeout(t, self, type, id); });
  }
  void set_multi_timeout(
    time_point t, caf::abstract_actor* self, caf::atom_value type, std::uint64_t id) override {
    change([&] { simple_actor_clock::set_multi_timeout(t, self, type, id); });
  }
  void set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) override {
    change([&] { simple_actor_clock::set_request_timeout(t, self, id); });
  }
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override {
    change([&] { simple_actor_clock::cancel_ordinary_timeout(self, type); });
  }
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override {
    change([&] { simple_actor_clock::cancel_request_timeout(self, id); });
  }
  void cancel_timeouts(caf::abstract_actor* self) override {
    change([&] { simple_actor_clock::cancel_timeouts(self); });
  }
  void schedule_message(
    time_point t, caf::strong_actor_ptr receiver, caf::mailbox_element_ptr content) override {
    change(
      [&] { simple_actor_clock::schedule_message(t, std::move(receiver), std::move(content)); });
  }
  void schedule_message(
    time_point t, caf::group target, caf::strong_actor_ptr sender, caf::message content) override {
    change([&] {
      simple_actor_clock::schedule_message(
        t, std::move(target), std::move(sender), std::move(content));
    });
  }
  void cancel_all() override {
    schedule_map dropped;
    const std::lock_guard guard{mutex_};
    actor_lookup_.clear();
    dropped.swap(schedule_);
  }

private:
  template <class Change>
  void change(Change apply) {
    bool is_sooner = false;
    {
      const std::lock_guard guard{mutex_};
      apply();
      is_sooner = !schedule_.empty() && (!armed_ || schedule_.begin()->first < *armed_);
      if (is_sooner)
        armed_ = schedule_.begin()->first;
    }
    if (is_sooner)
      asio::dispatch(context_, [self = shared_from_this()] { self->arm(); });
  }

  /// On the loop's thread.
  void arm() {
    {
      const std::lock_guard guard{mutex_};
      armed_ = schedule_.empty() ? std::nullopt : std::optional{schedule_.begin()->first};
      if (!armed_)
        return;
      timer_.expires_at(*armed_);
    }
    timer_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
      if (const auto self = weak.lock(); self && !cancelled)
        self->fire();
    });
  }

  void fire() {
    while (const auto due = take_due())
      ship(*due);
    arm();
  }

  unique_delayed_event_ptr take_due() {
    const std::lock_guard guard{mutex_};
    const auto first = schedule_.begin();
    if (first == schedule_.end() || first->first > now())
      return nullptr;
    auto due = std::move(first->second);
    if (due->backlink != actor_lookup_.end())
      actor_lookup_.erase(due->backlink);
    schedule_.erase(first);
    return due;
  }

  asio::io_context& context_;
  std::mutex mutex_;
  asio::steady_timer timer_;
  std::optional<time_point> armed_;
};

/// The actors that have something to do. Shared with what was posted to the loop, which may be
/// looked at after the system has gone.
class ready_actors : public std::enable_shared_from_this<ready_actors> {
public:
  ready_actors(caf::actor_system& system, asio::io_context& context)
    : context_(context), unit_(&system, this) {}

  void add(caf::resumable* job) {
    {
      const std::lock_guard guard{mutex_};
      if (!closed_) {
        jobs_.push_back(job);
        if (std::exchange(is_posted_, true))
          return;
        job = nullptr;
      }
    }
    if (job != nullptr)
      return caf::scheduler::abstract_coordinator::cleanup_and_release(job);
    asio::post(context_, [self = shared_from_this()] { self->run_some(); });
  }

  /// From another thread: waits for the actor that runs now, and drops what has not run.
  void close() {
    std::deque<caf::resumable*> left;
    {
      std::unique_lock guard{mutex_};
      closed_ = true;
      idle_.wait(guard, [this] { return !runs_; });
      left.swap(jobs_);
    }
    for (auto* job : left)
      caf::scheduler::abstract_coordinator::cleanup_and_release(job);
  }

private:
  struct unit final : caf::execution_unit {
    unit(caf::actor_system* system, ready_actors* all) : execution_unit(system), all_(all) {}
    void exec_later(caf::resumable* job) override { all_->add(job); }
    ready_actors* all_;
  };

  void run_some() {
    for (int i = 0; i < actors_at_once; ++i) {
      auto* job = next();
      if (job == nullptr)
        return;
      switch (job->resume(&unit_, messages_at_once)) {
      case caf::resumable::resume_later:
        add(job);
        break;
      case caf::resumable::shutdown_execution_unit:
        break;
      default:
        caf::intrusive_ptr_release(job);
      }
      ran();
    }
    asio::post(context_, [self = shared_from_this()] { self->run_some(); });
  }

  caf::resumable* next() {
    const std::lock_guard guard{mutex_};
    if (closed_ || jobs_.empty()) {
      is_posted_ = false;
      return nullptr;
    }
    auto* job = jobs_.front();
    jobs_.pop_front();
    runs_ = true;
    return job;
  }

  void ran() {
    const std::lock_guard guard{mutex_};
    runs_ = false;
    if (closed_)
      idle_.notify_all();
  }

  asio::io_context& context_;
  unit unit_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<caf::resumable*> jobs_;
  bool is_posted_ = false; ///< `run_some` will look
  bool runs_ = false;
  bool closed_ = false;
};

class coordinator final : public caf::scheduler::abstract_coordinator {
public:
  coordinator(caf::actor_system& system, std::shared_ptr<link_loop> loop)
    : abstract_coordinator(system), loop_(std::move(loop)),
      clock_(std::make_shared<loop_clock>(loop_->context())),
      ready_(std::make_shared<ready_actors>(system, loop_->context())) {}

  caf::actor_clock& clock() noexcept override { return *clock_; }
  bool detaches_utility_actors() const override { return false; }
  void enqueue(caf::resumable* job) override { ready_->add(job); }

protected:
  /// CAF reports unhandled exceptions through this actor and does not look whether it is there.
  void start() override {
    caf::actor_config config{nullptr};
    utility_actors_[printer_id] = caf::make_actor<printer, caf::actor>(
      system().next_actor_id(), system().node(), &system(), config);
  }

  void stop() override {
    ready_->close();
    clock_->cancel_all();
    // An actor that spawned another one has left its thread a share of the system's logger, and the
    // system waits for the last one.
    std::promise<void> let_go;
    asio::dispatch(loop_->context(), [&let_go] {
      caf::logger::set_current_actor_system(nullptr);
      let_go.set_value();
    });
    let_go.get_future().wait();
  }

private:
  struct printer final : caf::monitorable_actor {
    explicit printer(caf::actor_config& config) : monitorable_actor(config) {}
    void enqueue(caf::mailbox_element_ptr x, caf::execution_unit*) override {
      if (x->content().match_elements<caf::add_atom, caf::actor_id, std::string>())
        std::fputs(x->content().get_as<std::string>(2).c_str(), stderr);
    }
  };

  std::shared_ptr<link_loop> loop_;
  std::shared_ptr<loop_clock> clock_;
  std::shared_ptr<ready_actors> ready_;
};

} // namespace

void run_actors_on(caf::actor_system_config& config, std::shared_ptr<link_loop> loop) {
  config.module_factories.push_back(
    [loop = std::move(loop)](caf::actor_system& system) -> caf::actor_system::module* {
      return new coordinator(system, loop);
    });
}

} // namespace drover
