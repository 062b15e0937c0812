#include "runtime/wire/trace_ndjson.hpp"

#include "runtime/wire/json_fields.hpp"

namespace drover::wire {

std::string to_ndjson(const trace_event& event) {
  using json = nlohmann::ordered_json;
  json out = {{"at", encode_json<json>(event.at)}};
  std::visit(
    [&out](const auto& body) {
      out["event"] = body.name;
      detail::each_field(body, [&out](const char* key, const auto& field) {
        if constexpr (detail::is_optional<std::remove_cvref_t<decltype(field)>>)
          if (!field)
            return;
        out[key] = encode_json<json>(field);
      });
    },
    event.body);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace drover::wire
