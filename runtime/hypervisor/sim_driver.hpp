// One node's driver in the simulated world: what an agent knows of its QEMUs and may ask of them.
// Rule: it knows a QEMU only by having started or found it, hears of the truth by news, and checks
// what the real driver checks, in the same order and with the same errors.
//
// Start, end, questions: sim_driver.cpp. Streams: sim_driver_streams.cpp. News:
// sim_driver_news.cpp.
#pragma once

#include "runtime/hypervisor/hypervisor.hpp"
#include "runtime/hypervisor/sim_park.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace drover {

class sim_driver final : public hypervisor, public sim_listener {
public:
  sim_driver(std::shared_ptr<sim_park> park, node_id node);
  ~sim_driver() override;
  sim_driver(const sim_driver&) = delete;
  sim_driver& operator=(const sim_driver&) = delete;

  void listen(hypervisor_events* events) override { events_ = events; }
  void attach(callback<std::vector<machine_status>> answer) override;
  std::string version() const override;
  std::vector<machine_status> list() const override;
  std::optional<machine_status> find(vm_id vm) const override;
  std::vector<std::string> blockers(const std::string& config) const override;
  void start(vm_id vm, const std::string& config, callback<machine_status> answer) override;
  result<std::string> started_config(vm_id vm) const override;
  void facts(vm_id vm, callback<wire::machine_facts> answer) override;
  std::optional<wire::machine_facts> planned_facts(vm_id vm) const override;
  void quit(vm_id vm, callback<done> answer) override;
  void kill(vm_id vm, callback<done> answer) override;
  void receive(
    vm_id vm, epoch number, const std::string& config, callback<machine_status> answer) override;
  std::uint32_t channels_max(vm_id vm) const override;
  void open_door(
    vm_id vm, epoch number, const stream_form& form, callback<listening> answer) override;
  void stream(
    vm_id vm, epoch number, const listening& door, const stream_limits& limits,
    callback<done> answer) override;
  void set_downtime_limit(vm_id vm, std::uint32_t limit_ms, callback<done> answer) override;
  void set_bandwidth(vm_id vm, std::uint64_t bytes_per_s, callback<done> answer) override;
  void cancel_stream(vm_id vm, epoch number, callback<done> answer) override;
  std::optional<wire::outcome> stream_outcome(vm_id vm, epoch number) const override;
  void resume(vm_id vm, callback<wall_time> answer) override;

  void take(const sim_qemu_ptr& qemu, const sim_news& news) override;
  void host_died() override;

private:
  struct machine {
    sim_qemu_ptr qemu;
    bool is_up = false;
    bool is_connecting = false; ///< to the door, or waits for the other end
    bool has_not_begun = false; ///< the last stream: it was told as failed, and may begin anew
    std::uint64_t attempt = 0;  ///< tells an earlier attempt to stream apart
    bool continuing = false;    ///< `cont` was sent and is not answered
    std::optional<wall_time> stopped;
    bool outcome_untold = false;
    std::vector<callback<machine_status>> start_answers;
    std::vector<callback<done>> end_answers;
    std::vector<callback<done>> stream_answers; ///< until the stream has begun
    std::vector<callback<done>> cancel_answers;
    std::vector<callback<wall_time>> resume_answers;
  };
  using machine_ptr = std::shared_ptr<machine>;
  /// Whether the driver still is, for whoever has just called out of it.
  using life = std::weak_ptr<char>;

  machine_ptr known(vm_id vm) const;
  /// Whether it is the one that the driver knows of now.
  bool is_here(const machine_ptr& m) const { return known(m->qemu->vm) == m; }
  static error of_vm(errc code, std::string what, vm_id vm);
  static error not_here(vm_id vm);
  template <class F>
  void later(nanoseconds delay, F task);
  template <class T>
  void say(callback<T> answer, result<T> value);
  /// Calls `act` when QEMU has carried out a command, unless it is gone by then.
  template <class F>
  void command(const machine_ptr& m, F act);
  /// Answers all of them; false when the driver was destroyed meanwhile.
  template <class T>
  static bool answer_all(const life& alive, std::vector<callback<T>>& answers, result<T> value);

  void launch(vm_id vm, sim_launch plan, epoch number, callback<machine_status> answer);
  void adopt(const sim_qemu_ptr& qemu);
  void learn(const machine_ptr& m, wire::stream_end end, const std::string& reason);
  void end(vm_id vm, const char* how, callback<done> answer);
  void send_cont(const machine_ptr& m, int attempts_left);

  enum class progress : std::uint8_t { none, connecting, begun, ended };
  progress stream_progress(const machine& m) const;
  const wire::outcome* outcome_of(const machine& m) const;
  void knock(const machine_ptr& m, const listening& door, const stream_limits& limits);
  void begin_stream(const machine_ptr& m);
  void fail_to_begin(const machine_ptr& m, error why);
  void call_off(const machine_ptr& m);

  void take_up(const machine_ptr& m);
  void take_stopped(const machine_ptr& m, const sim_news& news);
  void take_resumed(const machine_ptr& m, const sim_news& news);
  void take_end(const machine_ptr& m, const sim_news& news);
  void take_gone(const machine_ptr& m, const sim_news& news);

  std::shared_ptr<sim_park> park_;
  const node_id node_;
  hypervisor_events* events_ = nullptr;
  std::map<vm_id, machine_ptr> machines_;
  std::map<vm_id, std::pair<epoch, wire::outcome>> outcomes_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

template <class F>
void sim_driver::later(nanoseconds delay, F task) {
  park_->queue().after(delay, [alive = life(alive_), task = std::move(task)]() mutable {
    if (!alive.expired())
      task();
  });
}

template <class T>
void sim_driver::say(callback<T> answer, result<T> value) {
  later(nanoseconds{0}, [answer = std::move(answer), value = std::move(value)]() mutable {
    answer(std::move(value));
  });
}

template <class F>
void sim_driver::command(const machine_ptr& m, F act) {
  later(park_->command_time(node_), [this, m, act = std::move(act)] {
    if (is_here(m) && !m->qemu->is_gone)
      act();
  });
}

template <class T>
bool sim_driver::answer_all(const life& alive, std::vector<callback<T>>& answers, result<T> value) {
  for (const auto& answer : std::exchange(answers, {})) {
    if (alive.expired())
      return false;
    answer(value);
  }
  return !alive.expired();
}

} // namespace drover
