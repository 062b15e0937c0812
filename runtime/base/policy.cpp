#include "runtime/base/policy.hpp"

#include <array>
#include <utility>

namespace drover {
namespace {

constexpr std::array<std::pair<policy, std::string_view>, 6> names{{
  {policy::check, "check"},
  {policy::nocheck, "nocheck"},
  {policy::lock, "lock"},
  {policy::early, "early"},
  {policy::claim, "claim"},
  {policy::ticket, "ticket"},
}};

} // namespace

std::string_view to_string(policy p) {
  for (const auto& [value, name] : names)
    if (value == p)
      return name;
  return "ticket";
}

std::optional<policy> policy_from_string(std::string_view text) {
  for (const auto& [value, name] : names)
    if (name == text)
      return value;
  return std::nullopt;
}

std::string_view policy_names() { return "check, nocheck, lock, early, claim, ticket"; }

} // namespace drover
