#include "runtime/wire/foreign_hello.hpp"

#include "runtime/wire/json_fields.hpp"

#include <nlohmann/json.hpp>

namespace drover::wire {
namespace {

using nlohmann::json;

/// Leaves `to` as it is where the field is missing or another thing.
template <class T>
void glimpse(const json& from, const char* key, T& to) {
  const auto found = from.find(key);
  T value{};
  json_fault ignored;
  if (found != from.end() && decode_json(*found, value, ignored))
    to = std::move(value);
}

/// The object at this path when it tells another major version, else null.
const json* foreigner(const json& message, const char* path) {
  const json::json_pointer where{path};
  if (!message.contains(where) || !message.at(where).is_object())
    return nullptr;
  int protocol = protocol_version;
  glimpse(message.at(where), "protocol", protocol);
  return protocol == protocol_version ? nullptr : &message.at(where);
}

} // namespace

std::optional<hello> foreign_hello(const json& request) {
  const auto* from = request.is_object() && request.value("method", json{}) == hello::method
                       ? foreigner(request, "/params")
                       : nullptr;
  if (from == nullptr)
    return std::nullopt;
  hello asked;
  glimpse(*from, "protocol", asked.protocol);
  glimpse(*from, "minor", asked.minor);
  glimpse(*from, "controller", asked.controller);
  return asked;
}

std::optional<hello_reply> foreign_hello_reply(const json& reply) {
  const auto* from = foreigner(reply, "/result/hello_reply");
  if (from == nullptr)
    return std::nullopt;
  hello_reply told;
  glimpse(*from, "protocol", told.protocol);
  glimpse(*from, "minor", told.minor);
  glimpse(*from, "node", told.node);
  glimpse(*from, "version", told.version);
  return told;
}

} // namespace drover::wire
