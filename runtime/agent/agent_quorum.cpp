// S while memory leaves it: a VM is not paused while the store takes no writes, since nobody could
// say whose it is afterwards. Rule: what ends a stream is QEMU's own cancel, which is refused once
// the vCPUs have stopped; from there the only way is forward, with the store or without it.
//
// The test is a barrier, one for the whole node: it is about no VM, so no pause waits for it. Only
// a plain refusal counts. A store that hangs does so while its membership changes, and mostly comes
// back with its quorum; a pause that begins meanwhile is as short as any.
#include "runtime/agent/agent.hpp"

#include <utility>

namespace drover {
namespace {

/// How long a quorum may have been lost before no pause begins any more.
constexpr nanoseconds quorum_pause = std::chrono::seconds{1};

} // namespace

/// Looks after the streams that leave here until the last one has ended.
void agent::need_quorum() {
  if (needing_quorum_ || leaving_streams().empty())
    return;
  needing_quorum_ = true;
  tasks_.spawn(cancel_without_quorum());
}

task<done> agent::cancel_without_quorum() {
  for (;;) {
    co_await sleep(quorum_pause);
    if (gone_ || leaving_streams().empty())
      break;
    const auto passed = co_await store_.barrier();
    if (passed || passed.error().code != errc::refused)
      continue;
    for (const auto& [vm, share] : leaving_streams()) {
      const auto found = machines_.find(vm);
      if (!found)
        continue;
      without_quorum_[vm] = {found->number, to_string(passed.error())};
      co_await machine_.cancel_stream(vm, found->number);
    }
  }
  needing_quorum_ = false;
  co_return done{};
}

/// Why the stream was cancelled, where it was cancelled here.
void agent::explain_cancel(const ticket& t, wire::outcome& ended) const {
  const auto why = without_quorum_.find(t.vm());
  if (
    ended.end == wire::stream_end::cancelled && why != without_quorum_.end() &&
    why->second.number == t.number())
    ended.reason =
      "cancelled, since a VM is not paused while the store takes no writes: " + why->second.reason;
}

} // namespace drover
