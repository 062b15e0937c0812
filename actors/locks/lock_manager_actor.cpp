#include "actors/locks/lock_manager_actor.hpp"

#include "runtime/base/time.hpp"

#include <set>
#include <utility>

namespace drover {
namespace {

class lock_manager {
public:
  using handle = lock_manager_handle;
  static constexpr const char* name = "lock_manager";

  lock_manager(handle::pointer self, lock_capacities capacities)
    : self_(self), capacities_(std::move(capacities)) {}

  handle::behavior_type make_behavior() {
    for (const auto& [what, capacity] : capacities_)
      answer(table_.set_capacity(what, capacity));
    self_->set_down_handler([this](const caf::down_msg& down) { forget(down.source.id()); });
    return {
      [this](acquire& request) { return take(request); },
      [this](const release& request) { give_back(request); },
      [this](const set_capacity& request) {
        answer(table_.set_capacity(request.what, request.capacity));
      },
      [this](const hold_grants& request) {
        holds_.insert(request.why);
        answer(table_.set_serving(serving::held));
      },
      [this](const open_grants& request) {
        holds_.erase(request.why);
        answer(table_.set_serving(holds_.empty() ? serving::open : serving::held));
      },
      [this](ask_lock_usage) {
        return lock_usage{
          table_.usage(), static_cast<std::uint32_t>(table_.held()),
          static_cast<std::uint32_t>(table_.waiting())};
      },
    };
  }

private:
  using clock_time = caf::actor_clock::time_point;

  struct pending {
    caf::typed_response_promise<acquired> promise;
    clock_time since;
  };

  caf::result<acquired> take(acquire& request) {
    // The promise takes the sender out of the message, so it is read first.
    const auto sender = self_->current_sender();
    if (!sender)
      return acquired{
        request.number, error{errc::invalid, "a lock needs a holder that can be watched", {}}, 0};
    const lease_id id{holder_id{sender->id()}, request.number};
    if (watched_.insert(id.holder).second)
      self_->monitor(caf::actor_cast<caf::actor_addr>(sender));
    auto granted = table_.acquire(id, request.priority, std::move(request.wanted));
    if (!granted)
      return acquired{request.number, std::move(granted).error(), 0};
    auto promise = self_->make_response_promise<acquired>();
    waiting_.emplace(id, pending{promise, self_->clock().now()});
    answer(*granted);
    return promise;
  }

  void give_back(const release& request) {
    const auto sender = self_->current_sender();
    if (!sender)
      return;
    const lease_id id{holder_id{sender->id()}, request.number};
    // Grants first: the table tells what the step caused, and a withdrawn wait is not among it.
    answer(table_.release(id));
    deliver(id, error{errc::refused, "the request was withdrawn", {}});
  }

  void forget(caf::actor_id dead) {
    const holder_id holder{dead};
    watched_.erase(holder);
    waiting_.erase(
      waiting_.lower_bound({holder, 0}), waiting_.lower_bound({holder_id{dead + 1}, 0}));
    answer(table_.forget(holder));
  }

  void answer(const lock_table::grants& granted) {
    for (const auto& id : granted)
      deliver(id, std::nullopt);
  }

  void deliver(const lease_id& id, std::optional<error> objection) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end())
      return;
    const auto entry = std::move(found->second);
    waiting_.erase(found);
    const nanoseconds waited = self_->clock().now() - entry.since;
    auto promise = entry.promise;
    promise.deliver(acquired{id.number, std::move(objection), seconds(waited)});
  }

  handle::pointer self_;
  lock_capacities capacities_;
  lock_table table_;
  std::map<lease_id, pending> waiting_;
  std::set<holder_id> watched_;
  std::set<grants_hold> holds_;
};

} // namespace

lock_manager_handle spawn_lock_manager(caf::actor_system& system, lock_capacities capacities) {
  return spawn_state<lock_manager>(system, std::move(capacities));
}

void configure_lock_types(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::drover_locks>();
}

} // namespace drover
