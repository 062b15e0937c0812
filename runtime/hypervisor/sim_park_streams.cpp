// A stream's way when nothing comes between: the door, the passes, the switchover, the
// acknowledgement.
#include "runtime/base/check.hpp"
#include "runtime/hypervisor/sim_park.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace drover {

namespace {

/// As the real driver asks its QEMUs.
constexpr milliseconds figures_period{500};
/// Where a host's free ports begin.
constexpr std::uint16_t port_first = 32'768;
constexpr std::uint16_t port_most = 60'999;

std::string hex(std::uint64_t number) {
  constexpr std::array<char, 17> digits{"0123456789abcdef"};
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4)
    text += digits.at((number >> static_cast<unsigned>(shift)) & 15U);
  return text;
}

} // namespace

// -- the door ------------------------------------------------------------------------------------

listening sim_park::open_door(const sim_qemu_ptr& target, const stream_form& form) {
  auto& part = at(target->node);
  std::erase_if(part.doors, [&](const auto& one) { return one.second.target == target; });
  auto& port = part.last_port;
  do
    port =
      port < port_first || port >= port_most ? port_first : static_cast<std::uint16_t>(port + 1);
  while (part.doors.contains(port));
  std::string token;
  for (int word = 0; word < 4; ++word)
    token += hex(token_chance_.next());
  // A secret of its own, but nobody guesses in this world: the key needs no luck of its own.
  const auto key = form.kind == stream_kind::tls ? std::string{token.rbegin(), token.rend()} : "";
  part.doors[port] = {target, token, key};
  return {target->node.value, port, token, key, form.channels};
}

sim_park::visit sim_park::knock(const listening& door, const std::string& token) const {
  const auto* part = part_of(node_id{door.host});
  if (part == nullptr || !part->doors.contains(door.port))
    return visit::nobody_opens;
  return part->doors.at(door.port).token == token ? visit::admitted : visit::turned_away;
}

void sim_park::connect(
  const sim_qemu_ptr& source, const listening& door, std::uint64_t bandwidth_bytes_per_s) {
  auto& doors = at(node_id{door.host}).doors;
  const auto found = doors.find(door.port);
  DROVER_CHECK(found != doors.end(), "a stream goes in by a door that is open");
  const auto target = found->second.target;
  auto stream = std::make_shared<sim_stream>();
  if (found->second.key != door.key || target->number != source->number)
    stream->handshake =
      found->second.key.empty() ? sim_handshake::not_understood : sim_handshake::turned_away;
  doors.erase(found);
  stream->id = ++last_stream_;
  stream->number = source->number;
  stream->source = source;
  stream->target = target;
  stream->bandwidth_most = bandwidth_bytes_per_s;
  target->was_reached = true;
  source->stream = target->stream = stream->id;
  at(source->node).streams.insert(stream->id);
  at(target->node).streams.insert(stream->id);
  streams_[stream->id] = std::move(stream);
}

nanoseconds sim_park::setup_time(const sim_qemu_ptr& source) {
  const auto stream = stream_of(source);
  const auto there = stream ? command_time(stream->target->node) : nanoseconds{0};
  return there + command_time(source->node);
}

bool sim_park::begin(const sim_qemu_ptr& source) {
  const auto stream = stream_of(source);
  if (!stream || stream->phase != sim_phase::setting_up)
    return false;
  const bool is_paused = source->state == sim_state::paused;
  stream->phase = sim_phase::copying;
  stream->has_begun = true;
  stream->guest_was_paused = is_paused;
  stream->loses_acknowledgement = lost_acknowledgements_.erase(source->vm) > 0;
  stream->copy = sim_precopy(
    source->launch.memory_bytes, is_paused ? 0 : source->load.dirty_bytes_per_s,
    source->load.working_set_bytes);
  stream->copy.set_limit(source->downtime_limit_ms);
  stream->advanced = queue_.now();
  stream->next_figures = queue_.now() + figures_period;
  const auto mismatch =
    sim_mismatch_of(source->vm, source->launch.config, stream->target->launch.config);
  if (!mismatch.at_once.empty()) {
    after(command_time(source->node), stream, [why = mismatch.at_once](auto& self, auto& still) {
      self.break_both(still, why);
    });
    return true;
  }
  if (stream->handshake != sim_handshake::agreed) {
    after(command_time(source->node), stream, [](auto& self, auto& still) {
      self.fail_handshake(still);
    });
    return true;
  }
  stream->mismatch = mismatch.at_devices;
  join_network(stream);
  return true;
}

sim_stream_ptr sim_park::stream_of(const sim_qemu_ptr& qemu) const {
  const auto found = streams_.find(qemu->stream);
  return found == streams_.end() ? nullptr : found->second;
}

// -- the passes ----------------------------------------------------------------------------------

void sim_park::plan(const sim_stream_ptr& stream) {
  const auto generation = ++stream->generation;
  auto due = stream->copy.next();
  if (!due)
    return; // It stands still; the end of the stall plans anew.
  if (stream->phase == sim_phase::copying)
    due = std::min(*due, stream->next_figures - queue_.now());
  after(*due, stream, [generation](sim_park& self, const sim_stream_ptr& still) {
    if (still->generation == generation)
      self.wake(still);
  });
}

void sim_park::wake(const sim_stream_ptr& stream) {
  advance(*stream);
  if (stream->phase == sim_phase::switching)
    return stream->copy.is_pass_over() ? all_sent(stream) : plan(stream);
  if (stream->phase != sim_phase::copying)
    return;
  if (stream->copy.fits_the_limit())
    return stop(stream);
  const bool is_pass_over = stream->copy.is_pass_over();
  if (is_pass_over)
    stream->copy.begin_pass();
  const bool is_due = is_pass_over || queue_.now() >= stream->next_figures;
  if (is_due)
    stream->next_figures = queue_.now() + figures_period;
  plan(stream);
  // These come often, so they spare the queue: no call of a driver is under way here.
  if (auto* listener = at(stream->source->node).listener; is_due && listener != nullptr)
    listener->take(
      stream->source,
      {sim_news::kind::figures, stream->number, {}, {}, {}, stream->copy.figures()});
}

void sim_park::set_downtime_limit(const sim_qemu_ptr& qemu, std::uint32_t limit_ms) {
  qemu->downtime_limit_ms = limit_ms;
  const auto stream = stream_of(qemu);
  if (!stream || stream->source != qemu || stream->phase != sim_phase::copying)
    return;
  advance(*stream);
  stream->copy.set_limit(limit_ms);
  plan(stream);
}

// -- the switchover ------------------------------------------------------------------------------

void sim_park::stop(const sim_stream_ptr& stream) {
  const auto source = stream->source;
  stream->phase = sim_phase::switching;
  stream->source_stopped = true;
  stream->copy.stop_guest();
  stream->memory = source->memory;
  source->state = sim_state::finishing;
  set_speed(*stream, speed_of(*stream));
  plan(stream);
  // QEMU says nothing where no guest was running.
  if (stream->guest_was_paused)
    return;
  tell(source, {sim_news::kind::stopped, stream->number, {}, {}, wall_at(source->node), {}});
  note(source, "stopped");
}

void sim_park::all_sent(const sim_stream_ptr& stream) {
  ++stream->generation;
  stream->phase = sim_phase::loading;
  if (!stream->mismatch.empty())
    return break_both(stream, stream->mismatch);
  after(
    settings_.load.draw(stream_chance_), stream,
    [](sim_park& self, const sim_stream_ptr& still) { self.load(still); });
  leave_network(stream);
}

void sim_park::load(const sim_stream_ptr& stream) {
  if (stream->phase != sim_phase::loading || stream->target->is_gone)
    return;
  const auto target = stream->target;
  target->state = sim_state::paused;
  target->is_loaded = true;
  target->memory = stream->memory;
  target->last_figures = stream->copy.figures();
  if (stream->source_left) {
    close(stream);
  } else {
    stream->phase = sim_phase::acknowledging;
    const auto time = settings_.acknowledge.draw(stream_chance_);
    after(std::max(time, stall_left(*stream)), stream, [](auto& self, auto& still) {
      self.acknowledge(still);
    });
  }
  tell_end(target, wire::stream_end::completed, {});
  note(target, "loaded");
}

void sim_park::acknowledge(const sim_stream_ptr& stream) {
  if (stream->phase != sim_phase::acknowledging)
    return;
  if (const auto left = stall_left(*stream); left.count() > 0)
    return after(left, stream, [](auto& self, auto& still) { self.acknowledge(still); });
  const auto source = stream->source;
  if (stream->loses_acknowledgement) {
    fail_source(stream, "the target's acknowledgement did not come");
    return;
  }
  source->state = sim_state::postmigrate;
  close(stream);
  tell_end(source, wire::stream_end::completed, {});
  note(source, "completed");
}

void sim_park::tell_end(const sim_qemu_ptr& qemu, wire::stream_end end, const std::string& reason) {
  qemu->last_end = end;
  qemu->last_reason = reason;
  sim_news news{sim_news::kind::ended, qemu->number, end, reason, wall_at(qemu->node), {}};
  news.figures = qemu->last_figures;
  tell(qemu, std::move(news));
}

void sim_park::close(const sim_stream_ptr& stream) {
  leave_network(stream);
  const auto copied = stream->copy.figures();
  for (const auto& qemu : {stream->source, stream->target}) {
    at(qemu->node).streams.erase(stream->id);
    // A source that has left may be in its next one already.
    if (qemu->stream != stream->id)
      continue;
    qemu->stream = 0;
    qemu->last_figures = copied;
  }
  streams_.erase(stream->id);
  ++stream->generation;
}

} // namespace drover
