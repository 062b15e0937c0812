#include "actors/handover/handover.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

/// How often a begin that fails for another reason than "later" is asked again.
constexpr std::uint32_t begin_repeats = 6;

} // namespace

handover::handover(migration_order order) : order_(std::move(order)) {}

std::vector<handover::command> handover::handle(const event& e, mono_time now) {
  now_ = now;
  out_.clear();
  if (phase_ != phase::ended)
    std::visit([this](const auto& x) { on(x); }, e);
  else if (const auto* late = std::get_if<permits_granted>(&e))
    out_.push_back(give_back{late->set});
  return std::move(out_);
}

void handover::on(const begin&) {
  if (begun_at_)
    return;
  begun_at_ = now_;
  out_.push_back(take_permits{permit_set::prepare});
}

void handover::on(const permits_granted& e) {
  const bool wanted = (e.set == permit_set::prepare && phase_ == phase::waiting) ||
                      (e.set == permit_set::stream && phase_ == phase::queued);
  if (!wanted) {
    out_.push_back(give_back{e.set});
    return;
  }
  out_.push_back(
    note{drover::permits_granted{order_.vm, std::string{to_string(e.set)}, e.waited_s}});
  if (e.set == permit_set::stream) {
    holds_streams_ = true;
    start_stream();
    return;
  }
  out_.push_back(write_ahead{});
}

void handover::on(const written_ahead&) {
  if (phase_ != phase::waiting)
    return;
  transition_to(phase::beginning);
  repeat(step::begin);
}

void handover::on(const answered& e) {
  if (e.attempt != attempts_)
    return; // Of an epoch that was backed out of.
  outstanding_.erase(e.what);
  if (e.clock)
    (side_of(e.what) == side::source ? source_clock_ : target_clock_) = e.clock;
  if (e.what == step::source_outcome)
    outcome_link_ = e.link;
  // A source that was alone meanwhile may have said in the record that its stream is complete,
  // later than the target has settled it.
  if (e.what == step::release && e.link != outcome_link_)
    settle_again_ = true;
  if (phase_of(e.what) == phase_)
    dispatch(e.what, e.body);
}

void handover::dispatch(step what, const result<wire::reply_body>& body) {
  switch (what) {
  case step::begin:
    return begun(body);
  case step::receive:
    return received(body);
  case step::stream:
    return stream_started(body);
  case step::source_outcome:
    return source_ended(body);
  case step::target_outcome:
    return target_ended(body);
  case step::cancel:
    return cancel_answered(body);
  case step::limit:
    return; // A limit that was not raised only means a longer copy.
  case step::move:
    return config_moved(body);
  case step::see:
    return config_seen(body);
  case step::take_over:
    return taken_over(body);
  case step::claim:
    return claim_answered(body);
  case step::release:
  case step::settle_target:
    return cleaned(what, body);
  case step::void_target:
    return void_answered(body);
  case step::continue_source:
    return continued(body);
  case step::settle_source:
    return reverted(body);
  }
}

void handover::on(const progressed& e) {
  if (e.figures.number != number())
    return;
  const auto& f = e.figures;
  // The final figure comes after the stream's end, so that nothing in the pause waits for it.
  transferred_bytes_ = std::max(transferred_bytes_, f.transferred_bytes);
  if (phase_ != phase::streaming)
    return;
  out_.push_back(note{stream_moved{
    order_.vm, f.number, f.transferred_bytes, f.remaining_bytes, f.total_bytes, f.passes}});
  if (ladder_.step(f) && !outstanding_.contains(step::limit))
    repeat(step::limit);
}

void handover::on(const cancel_asked& e) {
  if (!cancel_reason_)
    cancel_reason_ = e.reason;
  switch (phase_) {
  case phase::waiting:
    return end_with(verdict::stayed, *cancel_reason_);
  case phase::queued:
    return back_out(*cancel_reason_);
  case phase::streaming:
    return cancel_streaming();
  case phase::moving_config:
    if (outstanding_.contains(step::see))
      return back_out(*cancel_reason_); // The view may take long, and nothing depends on it now.
    return;
  case phase::beginning:
  case phase::receiving:
    return; // Looked at when the answer is in: what was begun has to be undone.
  default:
    return; // Past the switchover the only way is forward; a back-out is under way already.
  }
}

void handover::on(const timer_fired& e) {
  const auto found = repeat_at_.find(e.generation);
  if (found == repeat_at_.end())
    return;
  const step what = found->second;
  repeat_at_.erase(found);
  repeat(what);
}

void handover::begun(const result<wire::reply_body>& body) {
  if (!body) {
    const bool final = body.error().code == errc::refused || body.error().code == errc::invalid;
    // What an older controller has left of the VM may have to be finished first.
    const bool patient = body.error().code == errc::retry || repeats_[step::begin] < begin_repeats;
    if (!final && !cancel_reason_ && patient && ask_again(step::begin))
      return;
    if (is_unknown(body.error().code))
      return end_with(
        verdict::needs_operator,
        "the source does not answer; whether the handover was begun is unknown: " +
          to_string(body.error()));
    return end_with(verdict::stayed, cancel_reason_.value_or(to_string(body.error())));
  }
  source_ = std::get<wire::begun>(*body);
  ticket_ = source_->evidence;
  ladder_ = convergence{source_->downtime_limit_ms};
  if (cancel_reason_)
    return back_out(*cancel_reason_);
  note_if_narrowed(order_.source, order_.channels, channels_of_source());
  transition_to(phase::receiving);
  repeat(step::receive);
}

void handover::received(const result<wire::reply_body>& body) {
  if (!body) {
    reason_is_passing_ = body.error().code != errc::refused && body.error().code != errc::invalid;
    return back_out(
      cancel_reason_.value_or("the target could not receive: " + to_string(body.error())));
  }
  door_ = std::get<wire::stream_offer>(*body);
  out_.push_back(note{barrier_passed{order_.vm, number(), order_.target, door_->barrier_wait_us}});
  if (cancel_reason_)
    return back_out(*cancel_reason_);
  note_if_narrowed(order_.target, channels_of_source(), door_->channels.value_or(1));
  if (order_.kind == stream_kind::tls && !door_->key)
    return back_out(
      "the target offered no encrypted stream; --stream plain would send guest memory "
      "in the clear");
  // Before the queue: the store's lag must not cost a stream's permits.
  if (order_.how == policy::early)
    return move_config();
  queue_for_stream();
}

void handover::queue_for_stream() {
  transition_to(phase::queued);
  out_.push_back(take_permits{permit_set::stream});
}

void handover::start_stream() {
  transition_to(phase::streaming);
  stream_asked_ = true;
  // Both ends are asked for their outcome before the first byte flows: for a small VM the answer
  // would otherwise have to wait, inside the pause, for the question.
  repeat(step::target_outcome);
  repeat(step::source_outcome);
  repeat(step::stream);
}

void handover::stream_started(const result<wire::reply_body>& body) {
  if (body)
    return;
  if (is_unknown(body.error().code))
    return cancel_streaming(); // It may flow: the source's outcome decides.
  stream_asked_ = false;
  reason_is_passing_ = body.error().code == errc::retry;
  back_out("the stream could not be started: " + to_string(body.error()));
}

void handover::source_ended(const result<wire::reply_body>& body) {
  if (!body) {
    if (body.error().code == errc::timeout) {
      if (!cancel_reason_)
        cancel_reason_ = "did not converge within " +
                         std::to_string(copy_time_max().count() / 1000) + " s and its budget of " +
                         std::to_string(ladder_.budget_ms()) + " ms";
      cancel_streaming();
    }
    if (!ask_again(step::source_outcome))
      end_with(
        verdict::needs_operator,
        "the source does not tell how its stream ended: " + to_string(body.error()));
    return;
  }
  source_end_ = std::get<wire::outcome>(*body);
  mark("source_stopped", order_.source, source_end_->stopped);
  if (source_end_->end == wire::stream_end::completed)
    mark("source_completed", order_.source, source_end_->ended);
  decide_after_stream();
}

void handover::target_ended(const result<wire::reply_body>& body) {
  if (!body) {
    if (!ask_again(step::target_outcome))
      target_end_ = wire::outcome{wire::stream_end::failed, to_string(body.error()), {}, {}, 0};
    return decide_after_stream();
  }
  target_end_ = std::get<wire::outcome>(*body);
  if (target_end_->end == wire::stream_end::completed)
    mark("target_loaded", order_.target, target_end_->ended);
  decide_after_stream();
}

void handover::cancel_answered(const result<wire::reply_body>& body) {
  if (body || body.error().code == errc::refused)
    return; // The source's outcome decides.
  if (body.error().code == errc::conflict) {
    // Nothing streams under this epoch, and nothing will: the record is settled before it could.
    source_end_ = wire::outcome{wire::stream_end::cancelled, "nothing was streamed", {}, {}, 0};
    return decide_after_stream();
  }
  ask_again(step::cancel);
}

void handover::decide_after_stream() {
  const bool target_failed = target_end_ && target_end_->end != wire::stream_end::completed;
  if (!source_end_) {
    if (target_failed)
      cancel_streaming(); // The stream has nowhere to go; the source says how it ended.
    return;
  }
  if (source_end_->end != wire::stream_end::completed) {
    std::string why = "the stream failed: " + source_end_->reason;
    if (target_failed && !target_end_->reason.empty())
      why += "; at the target: " + target_end_->reason;
    return back_out(cancel_reason_.value_or(why));
  }
  if (target_failed)
    return back_out("the target was lost after the stream: " + target_end_->reason);
  if (!target_end_)
    return;
  if (target_moves_config(order_.how) || order_.how == policy::early)
    return ask_take_over();
  move_config();
}

void handover::move_config() {
  transition_to(phase::moving_config);
  repeat(step::move);
}

void handover::config_moved(const result<wire::reply_body>& body) {
  const bool early = order_.how == policy::early;
  if (!body) {
    if (body.error().code != errc::refused && ask_again(step::move))
      return;
    if (early)
      return back_out_of_early_move(body.error());
    // Under every policy but check the way back finds the config wherever it is.
    if (is_unknown(body.error().code) && order_.how == policy::check)
      return end_with(
        verdict::needs_operator,
        "paused on " + order_.source.value + " and " + order_.target.value +
          ": whether the config was moved is unknown: " + to_string(body.error()));
    return back_out("the config could not be moved: " + to_string(body.error()));
  }
  if (!early)
    return ask_take_over();
  if (cancel_reason_)
    return back_out(*cancel_reason_);
  repeat(step::see);
}

void handover::config_seen(const result<wire::reply_body>& body) {
  if (!body) {
    if (body.error().code != errc::refused && !cancel_reason_ && ask_again(step::see))
      return;
    return back_out_of_early_move(body.error());
  }
  if (cancel_reason_)
    return back_out(*cancel_reason_);
  queue_for_stream();
}

void handover::back_out_of_early_move(const error& why) {
  reason_is_passing_ = why.code != errc::refused && why.code != errc::invalid;
  back_out(cancel_reason_.value_or("the config could not be moved early: " + to_string(why)));
}

void handover::ask_take_over() {
  transition_to(phase::taking_over);
  take_over_asked_ = true;
  repeat(step::take_over);
}

void handover::taken_over(const result<wire::reply_body>& body) {
  if (!body) {
    // The view does not show the move yet; asking again would only hide the race.
    const bool raced = order_.how == policy::check && body.error().code == errc::conflict;
    if (raced)
      out_.push_back(note{race_met{order_.vm, number(), order_.target, order_.how, "refused"}});
    const bool final = raced || (body.error().code == errc::refused && !forward_only_);
    if (!final && ask_again(step::take_over))
      return;
    const std::string why = "the target did not take over: " + to_string(body.error());
    if (forward_only_)
      return end_with(
        verdict::needs_operator,
        "let run on " + order_.target.value + ", which does not say that it runs: " + why);
    // As in 2019: the config is gone from the source, and the VM hangs paused at the target.
    if (order_.how == policy::check)
      return end_with(verdict::needs_operator, "paused on " + order_.target.value + ": " + why);
    return back_out(why);
  }
  taken_over_ = std::get<wire::taken_over>(*body);
  if (taken_over_->raced)
    out_.push_back(note{race_met{order_.vm, number(), order_.target, order_.how, "unchecked"}});
  mark("resumed", order_.target, taken_over_->resumed);
  give_back_streams();
  transition_to(phase::claiming);
  repeat(step::claim);
}

void handover::claim_answered(const result<wire::reply_body>& body) {
  if (!body) {
    if (!ask_again(step::claim))
      end_with(
        verdict::needs_operator, "runs on " + order_.target.value +
                                   ", but its config is not there yet: " + to_string(body.error()));
    return;
  }
  mark("claimed", order_.target, std::get<wire::claimed>(*body).at);
  transition_to(phase::cleaning);
  cleaning_left_ = {step::release, step::settle_target};
  repeat(step::release);
  repeat(step::settle_target);
}

void handover::cleaned(step what, const result<wire::reply_body>& body) {
  if (!body && ask_again(what, body.error().code))
    return;
  if (!body)
    left_over_.push_back(
      (what == step::release ? "the source's paused copy on " + order_.source.value
                             : "the record and lock in the store") +
      ": " + to_string(body.error()));
  cleaning_left_.erase(what);
  if (!cleaning_left_.empty())
    return;
  if (std::exchange(settle_again_, false)) {
    cleaning_left_.insert(step::settle_target);
    return repeat(step::settle_target);
  }
  if (left_over_.empty())
    return end_with(verdict::moved, {});
  std::string why = "moved, but this is left over: " + left_over_.front();
  for (std::size_t i = 1; i < left_over_.size(); ++i)
    why += "; " + left_over_[i];
  end_with(verdict::needs_operator, std::move(why));
}

} // namespace drover
