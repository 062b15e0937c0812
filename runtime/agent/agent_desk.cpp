#include "runtime/agent/agent_desk.hpp"

#include "runtime/wire/codec.hpp"

#include <utility>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// How long a second agent waits for the first to leave, and how often it looks.
constexpr auto seat_patience = 3s;
constexpr auto seat_look = 20ms;
/// How often an agent without a controller looks whether another one waits for the node.
constexpr auto line_look = 50ms;
/// A controller says something every five seconds. One that has been silent for this long, while
/// another agent waits, has lost its way here and nobody told this side: a half-open link.
constexpr auto silence_max = 15s;
constexpr auto silence_look = 1s;

} // namespace

agent_desk::agent_desk(node_id node, agent_access access, agent_desk_ports ports)
  : node_(std::move(node)), access_(access), ports_(std::move(ports)) {}

agent_desk::~agent_desk() { *stands_ = false; }

void agent_desk::start() {
  if (access_ == agent_access::observe)
    serve();
  else
    take_seat(ports_.clock.now() + seat_patience);
}

void agent_desk::take_seat(mono_time until) {
  if (ports_.seat.take())
    return serve();
  if (ended_)
    return ports_.on_end();
  if (ports_.clock.now() >= until) {
    refused_ = true;
    ports_.seat.leave_line();
    for (auto& line : std::exchange(early_, {}))
      take_line(std::move(line));
    return;
  }
  ports_.seat.wait_in_line();
  ports_.clock.after(seat_look, [this, until, stands = stands_] {
    if (*stands)
      take_seat(until);
  });
}

void agent_desk::serve() {
  agent_ = ports_.make_agent([this](const wire::from_agent& message) {
    std::visit([this](const auto& m) { ports_.write(wire::encode(m)); }, message);
  });
  agent_->on_finished = [this] { after(0ns, &agent_desk::leave); };
  heard_at_ = ports_.clock.now();
  for (auto& line : std::exchange(early_, {}))
    take_line(std::move(line));
  if (ended_)
    be_alone();
  else if (access_ == agent_access::control)
    after(silence_look, &agent_desk::look_for_silence);
}

void agent_desk::look_for_silence() {
  if (ended_)
    return;
  if (ports_.clock.now() - heard_at_ >= silence_max && ports_.seat.is_awaited())
    return input_ended();
  after(silence_look, &agent_desk::look_for_silence);
}

void agent_desk::leave() { ports_.on_end(); }

/// The controller is gone. Another agent that waits finds everything in QEMU, the store and the
/// marks, and has a controller who knows more than this one: it goes first.
void agent_desk::be_alone() {
  agent_->controller_gone();
  if (access_ == agent_access::control)
    after(line_look, &agent_desk::look_behind);
}

void agent_desk::look_behind() {
  if (ports_.seat.is_awaited())
    return agent_->give_way();
  after(line_look, &agent_desk::look_behind);
}

void agent_desk::after(nanoseconds delay, void (agent_desk::*what)()) {
  ports_.clock.after(delay, [this, what, stands = stands_] {
    if (*stands)
      (this->*what)();
  });
}

void agent_desk::take_line(std::string line) {
  if (!agent_ && !refused_)
    return early_.push_back(std::move(line));
  heard_at_ = ports_.clock.now();
  auto asked = wire::decode_request(line);
  if (!asked)
    return answer(wire::id_of(line).value_or(request_id{}), tl::unexpected(asked.error()));
  if (refused_)
    return answer(
      asked->id,
      fail(errc::conflict, node_.value + " is served by another agent", ports_.seat.holder()));
  if (const auto* greeting = std::get_if<wire::hello>(&asked->body);
      greeting != nullptr && access_ == agent_access::control)
    ports_.seat.sign(greeting->controller);
  agent_->request(std::move(*asked));
}

void agent_desk::framing_broken(const error& why) {
  answer({}, tl::unexpected(why));
  input_ended(); // Nobody can tell where the next message would start.
}

void agent_desk::input_ended() {
  if (std::exchange(ended_, true))
    return;
  if (agent_)
    be_alone();
  else if (refused_)
    ports_.on_end();
}

void agent_desk::store_operated(store_operation operation) {
  if (agent_)
    agent_->store_operated(std::move(operation));
}

void agent_desk::answer(const request_id& id, result<wire::reply_body> body) {
  ports_.write(wire::encode(wire::reply{id, std::move(body)}));
}

} // namespace drover
