// One place for what CAF 0.17 spells differently from later versions. Rule: actors name these
// helpers and never the 0.17 forms, so that a port to CAF 1.x touches this header only.
//
// The shape of every actor: a plain class with `using handle = ..._handle`, a `name`, a constructor
// (handle::pointer self, ...) and `handle::behavior_type make_behavior()`; its interface is a list
// of function signatures (`iface`). Side effects belong in make_behavior: the constructor runs in
// the spawner's thread. Never use `await` (it holds back down and exit messages), and never leave a
// response promise unanswered (0.17 tells the requester nothing).
#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/replies_to.hpp>
#include <caf/result.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace drover {

/// `caf::result<R>(Is...)` as 0.17 wants it.
template <class F>
struct mpi;
template <class R, class... Is>
struct mpi<caf::result<R>(Is...)> {
  using type = typename caf::replies_to<Is...>::template with<R>;
};
template <class... Is>
struct mpi<caf::result<void>(Is...)> {
  using type = caf::reacts_to<Is...>;
};

/// An actor's interface: iface<caf::result<answer>(question), caf::result<void>(message)>.
template <class... Fs>
using iface = caf::typed_actor<typename mpi<Fs>::type...>;

/// Holds a class-based state. 0.17 reads `name` after the state is gone, so it stands outside.
template <class State>
struct state_box {
  static constexpr const char* name = State::name;
  std::optional<State> value;
};

/// Runs a class-based state as an actor, with the semantics of 0.18's `actor_from_state`.
template <class State>
class state_actor final
  : public caf::stateful_actor<state_box<State>, typename State::handle::base> {
public:
  using super = caf::stateful_actor<state_box<State>, typename State::handle::base>;

  template <class... Ts>
  explicit state_actor(caf::actor_config& config, Ts&&... xs) : super(config) {
    this->state.value.emplace(this, std::forward<Ts>(xs)...);
  }

  typename State::handle::behavior_type make_behavior() override {
    return this->state.value->make_behavior();
  }
};

/// `spawner` is an actor system or a self pointer's target.
template <
  class State, caf::spawn_options Options = caf::no_spawn_options, class Spawner, class... Ts>
typename State::handle spawn_state(Spawner& spawner, Ts&&... xs) {
  return spawner.template spawn<state_actor<State>, Options>(std::forward<Ts>(xs)...);
}

} // namespace drover
