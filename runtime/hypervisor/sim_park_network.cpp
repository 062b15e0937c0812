// The network under the streams: each node's uplink is shared evenly by those that send or receive
// there, and a stream goes at the smaller of its two shares. Rule: what has gone over at the old
// speed is counted before a speed changes.
#include "runtime/hypervisor/sim_park.hpp"

#include <algorithm>
#include <utility>

namespace drover {

std::uint64_t sim_park::share_of(const node_id& node) const {
  const auto* part = part_of(node);
  const auto streams = part == nullptr ? 0 : part->sharing;
  return settings_.bandwidth_bytes_per_s / std::max<std::uint64_t>(streams, 1);
}

std::uint64_t sim_park::speed_of(const sim_stream& stream) const {
  if (is_stalled(stream))
    return 0;
  auto speed = std::min(share_of(stream.source->node), share_of(stream.target->node));
  // QEMU lifts its own limit for the switchover.
  if (stream.bandwidth_most > 0 && stream.phase == sim_phase::copying)
    speed = std::min(speed, stream.bandwidth_most);
  return std::max<std::uint64_t>(speed, 1);
}

nanoseconds sim_park::stall_left(const sim_stream& stream) const {
  return is_stalled(stream) ? stream.stalled_until - queue_.now() : nanoseconds{0};
}

void sim_park::join_network(const sim_stream_ptr& stream) {
  stream->uses_network = true;
  ++at(stream->source->node).sharing;
  ++at(stream->target->node).sharing;
  share_anew(*stream);
}

void sim_park::leave_network(const sim_stream_ptr& stream) {
  if (!std::exchange(stream->uses_network, false))
    return;
  ++stream->generation;
  --at(stream->source->node).sharing;
  --at(stream->target->node).sharing;
  share_anew(*stream);
}

void sim_park::set_bandwidth(const sim_qemu_ptr& qemu, std::uint64_t bytes_per_s) {
  const auto stream = stream_of(qemu);
  if (!stream || stream->source != qemu)
    return;
  stream->bandwidth_most = bytes_per_s;
  share_anew(*stream);
}

void sim_park::share_anew(const sim_stream& changed) {
  for (const auto* node : {&changed.source->node, &changed.target->node})
    for (const auto id : at(*node).streams) {
      const auto& stream = streams_.at(id);
      const auto speed = speed_of(*stream);
      if (!stream->uses_network || (stream->generation > 0 && speed == stream->speed))
        continue;
      set_speed(*stream, speed);
      plan(stream);
    }
}

void sim_park::set_speed(sim_stream& stream, std::uint64_t bytes_per_s) {
  advance(stream);
  stream.speed = bytes_per_s;
  stream.copy.set_speed(bytes_per_s);
}

void sim_park::advance(sim_stream& stream) {
  stream.copy.advance(queue_.now() - stream.advanced);
  stream.advanced = queue_.now();
}

void sim_park::stall_streams(const node_id& node, nanoseconds how_long) {
  const auto streams = at(node).streams;
  for (const auto id : streams) {
    const auto& stream = streams_.at(id);
    stream->stalled_until = std::max(stream->stalled_until, queue_.now() + how_long);
    after(how_long, stream, [](auto& self, auto& still) { self.share_anew(*still); });
    share_anew(*stream);
  }
}

} // namespace drover
