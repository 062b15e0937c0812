// The way back: T is proven void, S runs, its lock goes. The rules are in handover.hpp's picture
// and in actors/handover/README.md.
#include "actors/handover/handover.hpp"

namespace drover {

void handover::back_out(std::string reason) {
  reason_ = std::move(reason);
  give_back_streams();
  transition_to(phase::voiding);
  repeat(step::void_target);
}

bool handover::source_runs_by_itself() const {
  return !stream_asked_ || (source_end_ && source_end_->end != wire::stream_end::completed);
}

void handover::void_answered(const result<wire::reply_body>& body) {
  if (body) {
    proof_ = std::get<wire::voided>(*body);
    return revert();
  }
  if (body.error().code == errc::refused && take_over_asked_) {
    // "Too late": the run mark stands, so the only way is forward. That `cont` has come too only
    // T's answer to `take_over` says.
    forward_only_ = true;
    transition_to(phase::taking_over);
    return repeat(step::take_over);
  }
  if (body.error().code != errc::refused && ask_again(step::void_target))
    return;
  if (source_runs_by_itself())
    return revert(); // T's copy can never run: it was started with -S and nobody resumes it.
  end_with(
    verdict::needs_operator, "paused on " + order_.source.value + ", and " + order_.target.value +
                               " does not prove that it did not run: " + to_string(body.error()) +
                               "; before that: " + reason_);
}

void handover::revert() {
  transition_to(phase::reverting);
  repeat(source_runs_by_itself() ? step::settle_source : step::continue_source);
}

void handover::continued(const result<wire::reply_body>& body) {
  if (body)
    return repeat(step::settle_source);
  if (!ask_again(step::continue_source))
    end_with(
      verdict::needs_operator, "paused on " + order_.source.value +
                                 " and could not be continued: " + to_string(body.error()) +
                                 "; before that: " + reason_);
}

void handover::reverted(const result<wire::reply_body>& body) {
  if (body)
    return stay_or_retry();
  if (!ask_again(step::settle_source, body.error().code))
    end_with(
      verdict::needs_operator, "runs on " + order_.source.value +
                                 ", but its record and lock could not be settled: " +
                                 to_string(body.error()) + "; before that: " + reason_);
}

void handover::stay_or_retry() {
  ++attempts_;
  if (!reason_is_passing_ || cancel_reason_ || attempts_ >= order_.attempts_max)
    return end_with(verdict::stayed, cancel_reason_.value_or(reason_));
  out_.push_back(note{retried{order_.target, "receive", reason_, "step_failed"}});
  reason_.clear();
  reason_is_passing_ = false;
  ticket_.reset();
  source_.reset();
  door_.reset();
  proof_.reset();
  source_end_.reset();
  target_end_.reset();
  outstanding_.clear();
  transition_to(phase::beginning);
  ask_again(step::begin);
}

} // namespace drover
