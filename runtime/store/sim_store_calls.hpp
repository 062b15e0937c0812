// The calls of one opened simulated store: they wait for their turn, take their time, hang when all
// hang, and are answered once. Rule: as the real driver's queue, a call whose deadline passed
// before its turn is never made, and one that is being made when nobody wants its answer any more
// goes on.
#pragma once

#include "runtime/base/trace.hpp"
#include "runtime/store/sim_store_core.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace drover {

/// One call, whatever it answers.
class sim_call {
public:
  sim_call(const char* operation, vm_id vm, mono_time asked, wall_time asked_wall)
    : operation_(operation), vm_(vm), asked_(asked), asked_wall_(asked_wall) {}
  virtual ~sim_call() = default;
  sim_call(const sim_call&) = delete;
  sim_call& operator=(const sim_call&) = delete;

  virtual bool is_write() const = 0;
  /// How long it takes when nothing hangs.
  virtual nanoseconds draw(sim_store_core& core, sim_store_node& node) = 0;
  /// Its turn is over: what it reads or writes is decided now.
  virtual void make(sim_store_core& core, sim_store_node& node) = 0;
  virtual bool was_good() const = 0;
  virtual void fail_with(error why) = 0;
  /// Calls back with what was decided.
  virtual void hand_over() = 0;
  /// Nobody waits any more.
  virtual void forget() = 0;

  const char* operation() const { return operation_; }
  vm_id vm() const { return vm_; }
  mono_time asked() const { return asked_; }
  wall_time asked_wall() const { return asked_wall_; }

  bool answered = false;
  /// A task will time it out.
  bool watched = false;
  mono_time begun{};
  mono_time due{};
  nanoseconds rest{0};
  /// It has waited for what others wrote before it.
  bool caught_up = false;

private:
  const char* operation_;
  vm_id vm_;
  mono_time asked_;
  wall_time asked_wall_;
};

class sim_store_calls : public std::enable_shared_from_this<sim_store_calls> {
public:
  using observer = std::function<void(const store_operation&)>;

  sim_store_calls(std::shared_ptr<sim_store_core> core, sim_store_node& node, observer observe)
    : core_(std::move(core)), node_(node), observe_(std::move(observe)) {}

  /// Once, before the first call.
  void listen();
  void add(std::shared_ptr<sim_call> call);
  /// Answers come no more; what is being made goes on.
  void close();

  event_queue& queue() { return core_->queue(); }

private:
  void start();
  void arm(const std::shared_ptr<sim_call>& call);
  void finish(const std::shared_ptr<sim_call>& call);
  bool waits_for_others(const std::shared_ptr<sim_call>& call);
  void answer(const std::shared_ptr<sim_call>& call);
  void time_out(const std::shared_ptr<sim_call>& call);
  void watch(const std::shared_ptr<sim_call>& call, mono_time earliest);
  void hanging();

  std::shared_ptr<sim_store_core> core_;
  sim_store_node& node_;
  observer observe_;
  std::uint64_t listener_ = 0;
  std::deque<std::shared_ptr<sim_call>> waiting_;
  std::vector<std::shared_ptr<sim_call>> running_;
  bool is_closed_ = false;
};

} // namespace drover
