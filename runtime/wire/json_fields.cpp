#include "runtime/wire/json_fields.hpp"

namespace drover::wire {
namespace {

constexpr std::size_t found_chars_max = 40;

/// Names a value in a few words; never dumps a container, so that the cost is bounded.
std::string describe(const nlohmann::json& value) {
  switch (value.type()) {
  case nlohmann::json::value_t::null:
    return "null";
  case nlohmann::json::value_t::object:
    return "an object";
  case nlohmann::json::value_t::array:
    return "a list";
  case nlohmann::json::value_t::string: {
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() > found_chars_max)
      return "a string of " + std::to_string(text.size()) + " bytes";
    return value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  }
  case nlohmann::json::value_t::boolean:
  case nlohmann::json::value_t::number_integer:
  case nlohmann::json::value_t::number_unsigned:
  case nlohmann::json::value_t::number_float:
    return value.dump();
  case nlohmann::json::value_t::binary:
  case nlohmann::json::value_t::discarded:
    break;
  }
  return "nothing";
}

} // namespace

error to_error(const json_fault& fault, std::string_view root) {
  std::string path = std::string(root) + fault.path;
  return {errc::invalid, (path.empty() ? "/" : path) + ": " + fault.what, {}};
}

std::string path_step(std::string_view key) {
  std::string step = "/";
  for (const char c : key) {
    if (c == '~')
      step += "~0";
    else if (c == '/')
      step += "~1";
    else
      step += c;
  }
  return step;
}

namespace detail {

bool mismatch(const nlohmann::json& found, std::string_view right, json_fault& fault) {
  fault = {{}, "expected " + std::string(right) + ", found " + describe(found)};
  return false;
}

bool read_signed(
  const nlohmann::json& from, std::int64_t min, std::int64_t max, std::int64_t& to,
  json_fault& fault) {
  if (!from.is_number_integer())
    return mismatch(from, "a whole number", fault);
  const bool wide =
    from.is_number_unsigned() &&
    from.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()};
  to = wide ? max : from.get<std::int64_t>();
  if (!wide && to >= min && to <= max)
    return true;
  return mismatch(
    from, "a whole number from " + std::to_string(min) + " to " + std::to_string(max), fault);
}

bool read_unsigned(
  const nlohmann::json& from, std::uint64_t max, std::uint64_t& to, json_fault& fault) {
  if (!from.is_number_integer())
    return mismatch(from, "a whole number", fault);
  const bool negative = !from.is_number_unsigned() && from.get<std::int64_t>() < 0;
  to = negative ? 0 : from.get<std::uint64_t>();
  if (!negative && to <= max)
    return true;
  return mismatch(from, "a whole number from 0 to " + std::to_string(max), fault);
}

bool read_double(const nlohmann::json& from, double& to, json_fault& fault) {
  if (!from.is_number())
    return mismatch(from, "a number", fault);
  to = from.get<double>();
  return true;
}

bool read_bool(const nlohmann::json& from, bool& to, json_fault& fault) {
  if (!from.is_boolean())
    return mismatch(from, "true or false", fault);
  to = from.get<bool>();
  return true;
}

bool read_string(const nlohmann::json& from, std::string& to, json_fault& fault) {
  if (!from.is_string())
    return mismatch(from, "a string", fault);
  to = from.get_ref<const std::string&>();
  return true;
}

} // namespace detail
} // namespace drover::wire
