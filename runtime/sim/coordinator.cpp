#include "runtime/sim/coordinator.hpp"

#include "runtime/base/check.hpp"

#include <caf/detail/test_actor_clock.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <cstdio>
#include <vector>

namespace drover {
namespace {

using caf_time = caf::actor_clock::time_point;

caf_time caf_time_of(mono_time t) {
  return caf_time{std::chrono::duration_cast<caf_time::duration>(t.time_since_epoch())};
}

/// CAF's own test clock, bound to the world's.
class world_clock final : public caf::detail::test_actor_clock {
public:
  explicit world_clock(const event_queue& world) : world_(world) {}

  time_point now() const noexcept override { return caf_time_of(world_.now()); }
  std::optional<mono_time> next() const {
    if (schedule_.empty())
      return std::nullopt;
    return mono_time{
      std::chrono::duration_cast<nanoseconds>(schedule_.begin()->first.time_since_epoch())};
  }
  void fire_due() {
    while (!schedule_.empty() && schedule_.begin()->first <= now())
      trigger_timeout();
  }

private:
  const event_queue& world_;
};

class coordinator final : public caf::scheduler::abstract_coordinator, public sim_coordinator {
public:
  coordinator(caf::actor_system& system, const event_queue& world)
    : abstract_coordinator(system), clock_(world) {}

  std::size_t ready() const override { return ready_.size(); }

  void step(std::size_t which) override {
    auto* job = ready_.at(which);
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(which));
    unit here{this};
    switch (job->resume(&here, 1)) {
    case caf::resumable::resume_later:
      ready_.push_back(job);
      break;
    case caf::resumable::shutdown_execution_unit:
      break;
    default:
      caf::intrusive_ptr_release(job);
    }
  }

  std::optional<mono_time> next_timer() const override { return clock_.next(); }
  void fire_timers() override { clock_.fire_due(); }

  caf::actor_clock& clock() noexcept override { return clock_; }
  bool detaches_utility_actors() const override { return false; }
  void enqueue(caf::resumable* job) override { ready_.push_back(job); }

protected:
  /// CAF reports unhandled exceptions through this actor and does not look whether it is there.
  void start() override {
    unit here{this};
    caf::actor_config config{&here};
    utility_actors_[printer_id] = caf::make_actor<printer, caf::actor>(
      system().next_actor_id(), system().node(), &system(), config);
  }

  /// Drops what has not run: a controller that is killed ends here, whatever its actors wait for.
  void stop() override {
    clock_.cancel_all();
    while (!ready_.empty()) {
      auto* job = ready_.back();
      ready_.pop_back();
      cleanup_and_release(job);
    }
    clock_.cancel_all();
  }

private:
  struct unit final : caf::execution_unit {
    explicit unit(coordinator* c) : execution_unit(&c->system()), parent(c) {}
    void exec_later(caf::resumable* job) override { parent->enqueue(job); }
    coordinator* parent;
  };
  struct printer final : caf::monitorable_actor {
    explicit printer(caf::actor_config& config) : monitorable_actor(config) {}
    void enqueue(caf::mailbox_element_ptr x, caf::execution_unit*) override {
      if (x->content().match_elements<caf::add_atom, caf::actor_id, std::string>())
        std::fputs(x->content().get_as<std::string>(2).c_str(), stderr);
    }
  };

  std::vector<caf::resumable*> ready_;
  world_clock clock_;
};

} // namespace

void sim_coordinator::install(caf::actor_system_config& config, const event_queue& world) {
  config.module_factories.push_back(
    [&world](caf::actor_system& system) -> caf::actor_system::module* {
      return new coordinator(system, world);
    });
}

sim_coordinator& sim_coordinator::of(caf::actor_system& system) {
  auto* found = dynamic_cast<coordinator*>(&system.scheduler());
  DROVER_CHECK(found != nullptr, "the actor system was made with `install`");
  return *found;
}

} // namespace drover
