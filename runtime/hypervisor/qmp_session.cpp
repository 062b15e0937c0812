#include "runtime/hypervisor/qmp_session.hpp"

#include <algorithm>
#include <utility>

namespace drover {

using nlohmann::json;

namespace {

/// qmp_capabilities has the id that no other command gets.
constexpr std::uint64_t capabilities_id = 0;

/// How much of a line that cannot be understood an error quotes.
constexpr std::size_t quoted_bytes_max = 80;

std::string command_line(std::string_view command, const json& arguments) {
  json message{{"execute", command}};
  if (!arguments.is_null())
    message["arguments"] = arguments;
  // QMP is ASCII-safe JSON; text that is no UTF-8 (a file name) must not throw here.
  return message.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
}

std::string text_of(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

std::int64_t number_of(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
}

qmp_event event_of(const json& message) {
  qmp_event e;
  e.name = text_of(message, "event");
  if (const auto data = message.find("data"); data != message.end())
    e.data = *data;
  if (const auto stamp = message.find("timestamp"); stamp != message.end() && stamp->is_object())
    e.at = wall_time{
      std::chrono::seconds{number_of(*stamp, "seconds")} +
      std::chrono::microseconds{number_of(*stamp, "microseconds")}};
  return e;
}

} // namespace

std::uint64_t qmp_session::send(std::string_view command, const json& arguments) {
  const auto id = ++last_id_;
  output_.push_back({id, command_line(command, arguments)});
  return id;
}

bool qmp_session::withdraw(std::uint64_t id) {
  return std::erase_if(output_, [id](const outgoing& o) { return o.id == id; }) > 0;
}

bool qmp_session::is_held(std::uint64_t id) const {
  return std::any_of(
    output_.begin(), output_.end(), [id](const outgoing& o) { return o.id == id; });
}

std::optional<qmp_session::outgoing> qmp_session::next_output() {
  if (phase_ == phase::greeting || phase_ == phase::broken || output_.empty())
    return std::nullopt;
  auto next = std::move(output_.front());
  output_.pop_front();
  unanswered_.push_back(next.id);
  return next;
}

result<std::vector<qmp_item>> qmp_session::receive(std::string_view bytes) {
  if (phase_ == phase::broken)
    return fail(errc::invalid, "the QMP connection broke before");
  std::vector<qmp_item> items;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    buffer_.append(bytes.substr(0, end));
    if (buffer_.size() > line_bytes_max)
      return broken("QMP line is too long", buffer_);
    if (end == std::string_view::npos)
      break;
    bytes.remove_prefix(end + 1);
    const auto line = std::exchange(buffer_, {});
    if (line.find_first_not_of(" \r\t") == std::string::npos)
      continue;
    if (auto taken = take_line(line, items); !taken)
      return tl::unexpected(taken.error());
  }
  return items;
}

result<void> qmp_session::take_line(std::string_view line, std::vector<qmp_item>& items) {
  const auto message = json::parse(line, nullptr, false);
  if (!message.is_object())
    return broken("QMP line is not a JSON object", line);
  if (phase_ == phase::greeting) {
    if (auto taken = take_greeting(message); !taken)
      return broken(taken.error().what, line);
    return {};
  }
  if (message.contains("event")) {
    items.emplace_back(event_of(message));
    return {};
  }
  if (auto taken = take_reply(message, items); !taken)
    return broken(taken.error().what, line);
  return {};
}

result<void> qmp_session::take_greeting(const json& message) {
  const auto greeting = message.find("QMP");
  if (greeting == message.end() || !greeting->is_object())
    return fail(errc::invalid, "QMP does not begin with a greeting");
  const auto pointer = json::json_pointer("/version/qemu");
  if (greeting->contains(pointer) && greeting->at(pointer).is_object()) {
    const auto& v = greeting->at(pointer);
    version_ = std::to_string(number_of(v, "major")) + "." + std::to_string(number_of(v, "minor")) +
               "." + std::to_string(number_of(v, "micro"));
  }
  phase_ = phase::negotiating;
  output_.push_front({capabilities_id, command_line("qmp_capabilities", nullptr)});
  return {};
}

result<void> qmp_session::take_reply(const json& message, std::vector<qmp_item>& items) {
  const auto value = message.find("return");
  const auto failure = message.find("error");
  if (value == message.end() && failure == message.end())
    return fail(errc::invalid, "QMP message is neither greeting, reply nor event");
  if (unanswered_.empty())
    return fail(errc::invalid, "QMP reply to nothing");
  const auto id = unanswered_.front();
  unanswered_.pop_front();
  result<json> body;
  if (value != message.end())
    body = *value;
  else
    body = fail(errc::refused, failure->is_object() ? text_of(*failure, "desc") : "QMP error");
  if (id != capabilities_id) {
    items.emplace_back(qmp_reply{id, std::move(body)});
    return {};
  }
  if (!body)
    return fail(errc::invalid, "QMP negotiation failed: " + body.error().what);
  phase_ = phase::ready;
  items.emplace_back(qmp_ready{version_});
  return {};
}

tl::unexpected<error> qmp_session::broken(std::string what, std::string_view line) {
  phase_ = phase::broken;
  return fail(errc::invalid, std::move(what), std::string{line.substr(0, quoted_bytes_max)});
}

} // namespace drover
