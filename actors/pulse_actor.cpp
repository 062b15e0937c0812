#include "actors/pulse_actor.hpp"

#include "actors/actor_time.hpp"

#include <algorithm>

namespace drover {
namespace {

using namespace std::chrono_literals;

constexpr auto answer_wait = 30s;

std::uint64_t microseconds_of(nanoseconds d) {
  return static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::microseconds>(std::max(d, nanoseconds{0})).count());
}

class pulse {
public:
  using handle = pulse_handle;
  static constexpr const char* name = "pulse";

  pulse(handle::pointer self, lock_manager_handle locks, surroundings around, nanoseconds interval)
    : self_(self), locks_(std::move(locks)), around_(std::move(around)), interval_(interval) {}

  handle::behavior_type make_behavior() {
    due_ = actor_now(*self_);
    self_->send(handle{self_}, feel_pulse{});
    return {
      [this](feel_pulse) { feel(); },
      [this](end_pulse) {
        ending_ = true;
        feel();
      },
    };
  }

private:
  /// What is seen last stays on show, so the end takes one more look: by then nothing is held.
  void arm_or_end() {
    if (ending_)
      self_->quit();
    else
      arm();
  }

  /// The next beat is armed when this one is over, so that a slow answer never piles questions up.
  void feel() {
    const auto asked = actor_now(*self_);
    const auto late = ending_ ? nanoseconds{0} : asked - due_;
    self_->request(locks_, answer_wait, ask_lock_usage{})
      .then(
        [this, asked, late](const lock_usage& usage) {
          const auto took = actor_now(*self_) - asked;
          around_.note(
            actors_sampled{"lock_manager", microseconds_of(late), microseconds_of(took)});
          note_permits(usage);
          arm_or_end();
        },
        [this](const caf::error&) { arm_or_end(); });
  }

  void note_permits(const lock_usage& usage) const {
    for (const auto& r : usage.resources)
      if (r.what.kind != resource_kind::vm)
        around_.note(permits_counted{
          std::string{to_string(r.what.kind)}, node_id{r.what.name}, r.used, r.capacity,
          r.waiting});
  }

  void arm() {
    due_ = actor_now(*self_) + interval_;
    self_->delayed_send(handle{self_}, interval_, feel_pulse{});
  }

  handle::pointer self_;
  lock_manager_handle locks_;
  surroundings around_;
  nanoseconds interval_;
  mono_time due_;
  bool ending_ = false;
};

} // namespace

pulse_handle spawn_pulse(
  caf::actor_system& system, lock_manager_handle locks, surroundings around, nanoseconds interval) {
  return spawn_state<pulse>(system, std::move(locks), std::move(around), interval);
}

} // namespace drover
