// Between a controller that is gone and the one that comes next, which often is the same: a link
// that has broken is opened again, and starts another agent.
#include "runtime/agent/agent.hpp"
#include "runtime/agent/looks.hpp"

#include <utility>

namespace drover {

void agent::give_way() {
  if (!std::exchange(giving_way_, true))
    notify_all();
}

bool agent::abandoned() const { return gone_ && (giving_way_ || timers_.now() >= gone_until_); }

/// S, of a handover that this agent's own controller has begun: nobody is harmed by a VM that runs
/// on here while its memory is copied, and its controller goes on with it from wherever it stands.
/// So the end by this side alone waits for the next agent, but never while the VM is stopped.
task<done> agent::await_return(ticket t) {
  while (gone_ && !giving_way_ && timers_.now() < return_until_) {
    const auto facts = facts_of(t);
    if (facts.machine != wire::run_state::running && facts.machine != wire::run_state::paused)
      break;
    co_await changed(t.vm(), std::min(event_pause, return_until_ - timers_.now()));
  }
  co_return done{};
}

} // namespace drover
