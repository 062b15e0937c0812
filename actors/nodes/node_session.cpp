#include "actors/nodes/node_session.hpp"

#include "runtime/wire/codec.hpp"
#include "runtime/wire/features.hpp"

#include <algorithm>

namespace drover {

using namespace session;

namespace {

/// A timer may be early by as much as its clock is coarse.
constexpr nanoseconds timer_grain = milliseconds(1);

/// Asking again may help, or somebody else has to leave first; every other refusal of a hello is
/// about the two programs and stays.
bool may_pass(errc code) {
  return code == errc::conflict || code == errc::retry || is_unknown(code);
}

} // namespace

// -- inputs --------------------------------------------------------------------------------------

commands node_session::start(mono_time now) {
  if (phase_ != phase::idle)
    return stray("start");
  connect(now);
  return finish();
}

called node_session::call(wire::request_body body, mono_time deadline, mono_time now) {
  const sequence number = next_++;
  const request_id id = id_of(number);
  const auto method = std::string(wire::method_name(body));
  if (stopping_ || phase_ == phase::stopped)
    emit(answer{
      id, fail(errc::refused, "the link of " + settings_.node.value + " was closed", method)});
  else if (waiting_.size() >= settings_.calls_max)
    emit(answer{id, fail(errc::retry, "too many calls wait for " + settings_.node.value, method)});
  else {
    const auto [at, fresh] = waiting_.emplace(number, entry{id, std::move(body), deadline});
    static_cast<void>(fresh);
    unsent_.insert(number);
    deadlines_.emplace(deadline, number);
    if (deadline <= now)
      conclude(at, tl::unexpected<error>(out_of_time(at->second)));
    flush(now);
  }
  return {id, finish()};
}

commands node_session::opened(mono_time now) {
  if (phase_ != phase::opening)
    return stray("opened");
  greet(now);
  return finish();
}

commands node_session::line(std::string_view text, mono_time now) {
  if (phase_ != phase::greeting && phase_ != phase::up && phase_ != phase::closing)
    return stray("line");
  heard_ = now;
  pinged_.reset();
  auto message = wire::decode_from_agent(text);
  if (!message)
    unreadable(text, message.error(), now);
  else if (auto* reply = std::get_if<wire::reply>(&*message))
    reply_came(std::move(*reply), now);
  else
    emit(notice_came{std::move(std::get<wire::notice>(*message))});
  return finish();
}

commands node_session::closed(const error& why, mono_time now) {
  switch (phase_) {
  case phase::opening:
  case phase::greeting:
  case phase::up:
  case phase::closing:
    break;
  case phase::idle:
  case phase::waiting:
  case phase::stopped:
    return stray("closed");
  }
  for (const auto& [number, call] : waiting_)
    unsent_.insert(number);
  pings_.clear();
  clocks_asked_.clear();
  clock_readings_ = 0;
  clock_due_.reset();
  hello_number_ = 0;
  // A login that is refused is like a hello that is: asking again soon will hardly help.
  if (phase_ == phase::opening && why.code == errc::refused)
    count_refusal(why);
  else if (cause_ != hello_refusal_)
    hello_refusal_.reset();
  const std::string reason = drover::to_string(cause_.value_or(why));
  if (stopping_) {
    end(reason);
  } else {
    tell_down(reason);
    back_off(now);
  }
  cause_.reset();
  return finish();
}

commands node_session::tick(mono_time now) {
  if (armed_ && *armed_ <= now + timer_grain)
    armed_.reset();
  expire(now);
  switch (phase_) {
  case phase::opening:
    if (now - since_ >= settings_.open_wait)
      give_up_link({errc::timeout, "the link did not open in time", {}}, now);
    break;
  case phase::greeting:
    if (now - since_ >= settings_.hello_wait)
      give_up_link({errc::timeout, "the agent did not answer hello in time", {}}, now);
    break;
  case phase::up:
    if (clock_due_ && now >= *clock_due_)
      read_clocks(now);
    heartbeat(now);
    break;
  case phase::waiting:
    if (now >= reopen_at_)
      connect(now);
    break;
  case phase::idle:
  case phase::closing:
  case phase::stopped:
    break;
  }
  return finish();
}

commands node_session::stop(mono_time now) {
  if (stopping_ || phase_ == phase::stopped)
    return finish();
  const std::string what = "the link of " + settings_.node.value + " was closed";
  conclude_all({errc::lost, what, {}}, {errc::refused, what, {}});
  stopping_ = true;
  if (phase_ == phase::idle || phase_ == phase::waiting)
    end(what);
  else if (phase_ != phase::closing)
    give_up_link({errc::lost, what, {}}, now);
  return finish();
}

// -- the link ------------------------------------------------------------------------------------

void node_session::transition_to(phase next, mono_time now) {
  phase_ = next;
  since_ = now;
}

void node_session::connect(mono_time now) {
  transition_to(phase::opening, now);
  emit(open_link{});
}

void node_session::give_up_link(error why, mono_time now) {
  tell_down(drover::to_string(why));
  cause_ = std::move(why);
  transition_to(phase::closing, now);
  emit(close_link{});
}

void node_session::back_off(mono_time now) {
  // A link that was up for a while starts anew; one that breaks at once must not spin.
  if (up_since_ && now - *up_since_ >= settings_.backoff_max)
    backoff_ = nanoseconds(0);
  up_since_.reset();
  backoff_ = backoff_ == nanoseconds(0) ? settings_.backoff_first
                                        : std::min(2 * backoff_, settings_.backoff_max);
  const double share = settings_.jitter ? 1 - std::clamp(settings_.jitter(), 0.0, 1.0) / 2 : 1;
  reopen_at_ = now + std::chrono::duration_cast<nanoseconds>(backoff_ * share);
  transition_to(phase::waiting, now);
}

void node_session::end(const std::string& reason) {
  phase_ = phase::stopped;
  tell_down(reason);
}

void node_session::tell_down(const std::string& reason) {
  if (told_down_ == reason)
    return;
  told_down_ = reason;
  emit(state_changed{link_state::down, reason});
}

// -- hello ---------------------------------------------------------------------------------------

void node_session::greet(mono_time now) {
  transition_to(phase::greeting, now);
  heard_ = now;
  pinged_.reset();
  hello_number_ = next_++;
  send_own(
    hello_number_, wire::hello{wire::protocol_version, settings_.controller, wire::protocol_minor},
    settings_.hello_wait);
}

std::optional<error> node_session::objection(const wire::hello_reply& hello) const {
  if (hello.protocol != wire::protocol_version)
    return error{
      errc::refused,
      "the agent speaks protocol " + wire::version_text(hello.protocol, hello.minor) +
        ", this controller " + wire::version_text(wire::protocol_version, wire::protocol_minor) +
        "; install the same version of drover here and there",
      settings_.node.value + ", drover-agent " + hello.version};
  if (hello.node != settings_.node)
    return error{
      errc::refused, "the agent at the link's other end is of node " + hello.node.value,
      settings_.node.value};
  return std::nullopt;
}

void node_session::hello_answered(const result<wire::reply_body>& body, mono_time now) {
  if (!body)
    return hello_refused(body.error(), now);
  const auto* hello = std::get_if<wire::hello_reply>(&*body);
  if (!hello)
    return hello_refused(
      {errc::bug, "hello was answered by " + std::string(wire::type_name(*body)), {}}, now);
  if (auto why = objection(*hello))
    return hello_refused(std::move(*why), now);

  std::optional<restart> restarted;
  if (hello_ && hello_->boot_id != hello->boot_id)
    restarted = restart::host;
  else if (hello_ && hello_->agent_pid != hello->agent_pid)
    restarted = restart::agent;
  hello_ = *hello;
  ++links_;
  clock_.answered(since_, now, hello->boot_id, {hello->monotonic, hello->wall});
  hello_refusals_ = 0;
  hello_refusal_.reset();
  told_down_.reset();
  up_since_ = now;
  transition_to(phase::up, now);
  emit(state_changed{link_state::up, {}});
  if (restarted)
    emit(agent_restarted{*restarted});
  if (restarted)
    cordon_again();
  flush(now);
  if (can(wire::feature::clocks))
    read_clocks(now);
}

void node_session::hello_refused(error why, mono_time now) {
  count_refusal(why);
  give_up_link(std::move(why), now);
}

void node_session::count_refusal(const error& why) {
  hello_refusal_ = why;
  hello_refusals_ = may_pass(why.code) ? 0 : hello_refusals_ + 1;
  if (hello_refusals_ >= settings_.hello_refusals_max) {
    // What an earlier link has carried may have been done; what never went out was not.
    error sent = why;
    sent.code = errc::lost;
    conclude_all(sent, why);
  }
}

// -- timers --------------------------------------------------------------------------------------

std::optional<mono_time> node_session::due() const {
  std::optional<mono_time> next;
  if (!deadlines_.empty())
    next = deadlines_.begin()->first;
  const auto also = [&next](mono_time t) { next = next ? std::min(*next, t) : t; };
  if (phase_ == phase::opening)
    also(since_ + settings_.open_wait);
  else if (phase_ == phase::greeting)
    also(since_ + settings_.hello_wait);
  else if (phase_ == phase::up && clock_due_)
    also(*clock_due_);
  if (phase_ == phase::up)
    also(pinged_ ? *pinged_ + settings_.dead_after_ping : heard_ + settings_.ping_after);
  if (phase_ == phase::waiting)
    also(reopen_at_);
  return next;
}

commands node_session::finish() {
  const auto next = due();
  if (next && (!armed_ || *next < *armed_)) {
    armed_ = next;
    emit(wake_at{*next});
  }
  return std::exchange(out_, {});
}

commands node_session::stray(std::string_view event) {
  emit(dropped{drop::stray, std::string(event) + " while " + std::string(to_string(phase_))});
  return finish();
}

} // namespace drover
