// What a node_session asks on its own account: signs of life, the node's clocks, and the cordon
// that an agent that has ended took with it.
#include "actors/nodes/node_session.hpp"

#include "runtime/wire/features.hpp"

#include <algorithm>

namespace drover {

using namespace session;

bool node_session::can(std::string_view feature) const {
  return hello_ && std::find(hello_->features.begin(), hello_->features.end(), feature) !=
                     hello_->features.end();
}

void node_session::heartbeat(mono_time now) {
  if (pinged_ && now - *pinged_ >= settings_.dead_after_ping) {
    give_up_link(
      {errc::lost, "no sign of life from the agent",
       std::to_string((now - heard_) / std::chrono::seconds(1)) + " s"},
      now);
  } else if (!pinged_ && now - heard_ >= settings_.ping_after) {
    // Judged from the ping on, so that a controller that slept itself does not blame the agent.
    pinged_ = now;
    const sequence number = next_++;
    pings_.insert(number);
    send_own(number, wire::ping{}, settings_.dead_after_ping);
  }
}

// -- clocks --------------------------------------------------------------------------------------

void node_session::read_clocks(mono_time now) {
  const sequence number = next_++;
  clocks_asked_.clear(); // An answer that has not come by now would tell nothing any more.
  clocks_asked_.emplace(number, now);
  clock_due_ = now + settings_.clock_every;
  send_own(number, wire::read_clocks{}, settings_.dead_after_ping);
}

void node_session::clocks_came(mono_time asked, const wire::reply& reply, mono_time now) {
  const auto* read = reply.body ? std::get_if<wire::clocks>(&*reply.body) : nullptr;
  if (read == nullptr)
    return;
  clock_.answered(asked, now, hello_->boot_id, {read->monotonic, read->wall});
  if (++clock_readings_ < settings_.clock_readings_first)
    read_clocks(now);
}

// -- the cordon ----------------------------------------------------------------------------------

void node_session::remember_cordon(
  const wire::request_body& asked, const result<wire::reply_body>& body) {
  if (std::holds_alternative<wire::uncordon>(asked))
    cordon_.reset();
  else if (const auto* cordon = std::get_if<wire::cordon>(&asked); cordon != nullptr && body)
    cordon_ = *cordon;
}

/// It is renewed by the agent that was asked for it, and ends with that one.
void node_session::cordon_again() {
  if (!cordon_)
    return;
  const sequence number = next_++;
  pings_.insert(number);
  send_own(number, *cordon_, settings_.hello_wait);
}

} // namespace drover
