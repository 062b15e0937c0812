#include "runtime/base/error.hpp"

#include <array>
#include <utility>

namespace drover {
namespace {

constexpr std::array<std::pair<errc, std::string_view>, 7> names{{
  {errc::retry, "retry"},
  {errc::refused, "refused"},
  {errc::lost, "lost"},
  {errc::timeout, "timeout"},
  {errc::conflict, "conflict"},
  {errc::invalid, "invalid"},
  {errc::bug, "bug"},
}};

} // namespace

std::string_view to_string(errc code) {
  for (const auto& [value, name] : names)
    if (value == code)
      return name;
  return "bug";
}

std::optional<errc> errc_from_string(std::string_view text) {
  for (const auto& [value, name] : names)
    if (name == text)
      return value;
  return std::nullopt;
}

std::string to_string(const error& e) {
  return e.context.empty() ? e.what : e.what + " (" + e.context + ")";
}

} // namespace drover
