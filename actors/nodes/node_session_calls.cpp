// The calls of a node_session: sending, answering, timing out; the link's side is in
// node_session.cpp.
#include "actors/nodes/node_session.hpp"

#include "runtime/link/link.hpp"
#include "runtime/wire/codec.hpp"
#include "runtime/wire/features.hpp"

#include <algorithm>
#include <charconv>

namespace drover {

using namespace session;

namespace {

constexpr std::size_t timed_out_max = 4096;
constexpr std::size_t dropped_chars_max = 200;

/// Rounded up, so that a request that is still wanted never goes out with no time at all.
milliseconds time_left(mono_time deadline, mono_time now) {
  return std::clamp(
    std::chrono::ceil<milliseconds>(deadline - now), milliseconds(1), wire::deadline_max);
}

} // namespace

// -- answers -------------------------------------------------------------------------------------

void node_session::reply_came(wire::reply reply, mono_time now) {
  const auto number = number_of(reply.id);
  if (number && *number == hello_number_ && phase_ == phase::greeting) {
    hello_number_ = 0;
    return hello_answered(reply.body, now);
  }
  if (number && pings_.erase(*number) > 0)
    return;
  if (
    const auto asked =
      number ? clocks_asked_.extract(*number) : decltype(clocks_asked_)::node_type{})
    return clocks_came(asked.mapped(), reply, now);
  const auto call = number ? waiting_.find(*number) : waiting_.end();
  if (call == waiting_.end() || call->second.sent == 0)
    return drop_reply(reply.id);
  if (reply.body && !wire::answers(call->second.body, *reply.body))
    reply.body = fail(
      errc::bug,
      std::string(wire::method_name(call->second.body)) + " was answered by " +
        std::string(wire::type_name(*reply.body)),
      settings_.node.value);
  remember_cordon(call->second.body, reply.body);
  const bool holds_moment = reply.body && (std::holds_alternative<wire::outcome>(*reply.body) ||
                                           std::holds_alternative<wire::taken_over>(*reply.body));
  conclude(call, std::move(reply.body), holds_moment ? clock(now) : std::nullopt);
  flush(now);
}

void node_session::unreadable(std::string_view text, const error& why, mono_time now) {
  const auto id = wire::id_of(text);
  const auto number = id ? number_of(*id) : std::nullopt;
  const bool known = number && (waiting_.count(*number) > 0 || *number == hello_number_);
  if (known)
    return reply_came(
      {*id, fail(errc::bug, "the agent's answer cannot be read: " + why.what, why.context)}, now);
  emit(dropped{drop::unreadable, drover::to_string(why)});
}

void node_session::drop_reply(const request_id& id) {
  const auto number = number_of(id);
  auto kind = drop::foreign_reply;
  if (number && timed_out_.count(*number) > 0)
    kind = drop::late_reply;
  else if (number && *number < next_ && waiting_.count(*number) == 0)
    kind = drop::double_reply;
  emit(dropped{kind, id.value.substr(0, dropped_chars_max)});
}

// -- calls ---------------------------------------------------------------------------------------

void node_session::flush(mono_time now) {
  if (phase_ != phase::up)
    return;
  while (!unsent_.empty() && waiting_.size() - unsent_.size() < settings_.window_max) {
    const sequence number = *unsent_.begin();
    unsent_.erase(unsent_.begin());
    const auto at = waiting_.find(number);
    entry& call = at->second;
    if (const auto needed = wire::needed_feature(call.body); !needed.empty() && !can(needed)) {
      conclude(at, tl::unexpected<error>(too_old(needed)));
      continue;
    }
    std::string line = wire::encode({call.id, time_left(call.deadline, now), call.body});
    if (line.size() > line_bytes_max) {
      // The link would break at it, again and again.
      conclude(
        at, fail(
              errc::invalid, "the request is too long for the link",
              std::string(wire::method_name(call.body))));
      continue;
    }
    if (call.sent++ > 0)
      emit(asked_again{call.id, std::string(wire::method_name(call.body))});
    emit(send_line{std::move(line)});
  }
}

error node_session::too_old(std::string_view needed) const {
  return {
    errc::refused,
    "drover-agent " + hello_->version + " of " + settings_.node.value + " does not know " +
      std::string(needed) + "; install the version of this controller there" +
      (needed == wire::feature::stream_tls ? ", or use --stream plain" : ""),
    {}};
}

void node_session::send_own(sequence number, wire::request_body body, nanoseconds wait) {
  emit(send_line{wire::encode(
    wire::request{id_of(number), std::chrono::ceil<milliseconds>(wait), std::move(body)})});
}

void node_session::conclude(
  entries::iterator call, result<wire::reply_body> body, std::optional<clock_estimate> clock) {
  emit(answer{call->second.id, std::move(body), std::move(clock), links_});
  unsent_.erase(call->first);
  deadlines_.erase({call->second.deadline, call->first});
  waiting_.erase(call);
}

void node_session::conclude_all(const error& sent, const error& never_sent) {
  while (!waiting_.empty()) {
    const auto call = waiting_.begin();
    error why = call->second.sent > 0 ? sent : never_sent;
    if (why.context.empty())
      why.context = wire::method_name(call->second.body);
    conclude(call, tl::unexpected<error>(std::move(why)));
  }
}

void node_session::expire(mono_time now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const sequence number = deadlines_.begin()->second;
    const auto call = waiting_.find(number);
    if (call->second.sent > 0)
      timed_out_.insert(number);
    if (timed_out_.size() > timed_out_max)
      timed_out_.erase(timed_out_.begin());
    conclude(call, tl::unexpected<error>(out_of_time(call->second)));
  }
  flush(now);
}

error node_session::out_of_time(const entry& call) const {
  // The agent's own reason says more than the clock, and nothing was carried out.
  if (call.sent == 0 && hello_refusal_)
    return *hello_refusal_;
  const auto method = std::string(wire::method_name(call.body));
  std::string how = call.sent == 0   ? "never sent"
                    : call.sent == 1 ? "sent once"
                                     : "sent " + std::to_string(call.sent) + " times";
  if (phase_ != phase::up)
    how += ", link " + std::string(to_string(phase_));
  if (told_down_)
    how += ": " + *told_down_;
  return {errc::timeout, settings_.node.value + " did not answer " + method + " in time", how};
}

// -- ids ------------------------------------------------------------------------------

request_id node_session::id_of(sequence number) const {
  return request_id(settings_.id_prefix + "-" + std::to_string(number));
}

std::optional<node_session::sequence> node_session::number_of(const request_id& id) const {
  const std::string& text = id.value;
  const std::size_t start = settings_.id_prefix.size() + 1;
  sequence number = 0;
  if (text.size() > start)
    std::from_chars(text.data() + start, text.data() + text.size(), number);
  // Only the very text that this session makes, so that no other spelling counts.
  return number > 0 && id_of(number) == id ? std::optional(number) : std::nullopt;
}

} // namespace drover
