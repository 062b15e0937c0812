// What ends a stream early, and what each end makes of it. Rule: as QEMU does with a return path on
// both sides: a source runs on by itself whatever happens before the acknowledgement, and never
// after it; a target that has not loaded everything dies with its stream.
//
//   | what breaks it           | source                        | target                     |
//   | target dies              | failed, runs on               | -                          |
//   | ... after it had loaded  | completed: the word was sent  | -                          |
//   | source dies              | -                             | exits, or stays if loaded  |
//   | cut                      | failed, runs on               | exits                      |
//   | cut, last byte was there | failed, runs on               | loads, and waits for ever  |
//   | another key              | failed, runs on               | waits on, for nobody       |
//   | cancel                   | cancelled, runs on            | exits                      |
//   | stall                    | nothing is told until it ends | the same                   |
#include "runtime/hypervisor/sim_park.hpp"

#include <algorithm>
#include <utility>

namespace drover {

void sim_park::lose_end(
  const sim_stream_ptr& stream, const sim_qemu_ptr& gone, const std::string& how) {
  if (!streams_.contains(stream->id))
    return;
  const bool target_died = gone == stream->target;
  if (stream->phase == sim_phase::acknowledging) {
    // The acknowledgement was sent before the target said that it is complete.
    if (!target_died)
      close(stream);
    return;
  }
  if (stream->phase == sim_phase::broken || (stream->source_left && target_died))
    return close(stream);
  stream->phase = sim_phase::broken;
  stream->why_broken = target_died ? "the target " + how : "the stream ended early";
  leave_network(stream);
  if (!is_stalled(*stream))
    return far_end_notices(stream);
  after(stall_left(*stream), stream, [](auto& self, auto& still) { self.far_end_notices(still); });
}

void sim_park::far_end_notices(const sim_stream_ptr& stream) {
  const auto target = stream->target;
  const auto why = stream->why_broken;
  if (!stream->source->is_gone)
    return fail_source(stream, why);
  close(stream);
  end_target(target, why);
}

void sim_park::break_both(const sim_stream_ptr& stream, const std::string& why) {
  if (!streams_.contains(stream->id))
    return;
  if (stream->phase == sim_phase::broken)
    return far_end_notices(stream);
  const auto target = stream->target;
  fail_source(stream, why);
  if (!stream->source_left)
    end_target(target, "the stream ended early");
}

void sim_park::fail_handshake(const sim_stream_ptr& stream) {
  if (stream->handshake == sim_handshake::not_understood)
    return break_both(stream, "the other end does not encrypt");
  fail_source(stream, "TLS handshake failed");
}

void sim_park::fail_source(const sim_stream_ptr& stream, const std::string& why) {
  const auto source = stream->source;
  // What has arrived whole is loaded whatever became of the source.
  const bool loads_on = stream->phase == sim_phase::loading && stream->mismatch.empty();
  const bool runs_on = stream->source_stopped && !stream->guest_was_paused;
  if (stream->source_stopped)
    source->state = sim_state::paused;
  if (runs_on)
    let_run(source);
  if (loads_on) {
    stream->source_left = true;
    source->stream = 0;
    source->last_figures = stream->copy.figures();
  } else {
    close(stream);
  }
  if (!stream->has_begun)
    return tell(source, {sim_news::kind::not_begun, stream->number, {}, why, {}, {}});
  if (runs_on)
    tell(source, {sim_news::kind::resumed, source->number, {}, {}, source->resumed, {}});
  tell_end(source, wire::stream_end::failed, why);
  note(source, "failed");
  if (runs_on && !source->is_gone)
    note(source, "running");
}

void sim_park::end_target(const sim_qemu_ptr& target, const std::string& why) {
  if (!target->is_gone && !target->is_loaded)
    end_process(target, "exited with status 1: " + why);
}

void sim_park::cancel(const sim_qemu_ptr& source) {
  const auto stream = stream_of(source);
  if (!stream || stream->source_stopped)
    return;
  const auto target = stream->target;
  const auto left = stall_left(*stream);
  close(stream);
  // The target reads the end of the stream when what is before it has come through.
  after(left, [target](sim_park& self) { self.end_target(target, "the stream ended early"); });
  if (!stream->has_begun)
    return; // QEMU has not heard of it.
  tell_end(source, wire::stream_end::cancelled, "the stream was cancelled");
  note(source, "cancelled");
}

void sim_park::cut_streams(const node_id& node) {
  const auto streams = at(node).streams;
  for (const auto id : streams)
    if (const auto found = streams_.find(id); found != streams_.end()) {
      const auto stream = found->second;
      if (!stream->source_left)
        break_both(stream, "the connection to the other end was lost");
    }
}

} // namespace drover
