// The handover policies: who moves the config and how the target decides. Rule: the table in
// actors/handover/README.md is the only place where they are compared.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace drover {

enum class policy : std::uint8_t {
  /// The source moves the config; the target's own view must show it as owner (the race of 2019).
  check,
  /// The source moves the config; the target does not look.
  nocheck,
  /// The source moves the config under the cluster's lock; the target takes the same lock, then
  /// looks.
  lock,
  /// The source moves the config before the switchover; an abort has to move it back.
  early,
  /// The target moves the config, then resumes.
  claim,
  /// The target resumes on the evidence of the ticket and moves the config at the same time.
  ticket,
};

inline constexpr std::array all_policies{policy::check, policy::nocheck, policy::lock,
                                         policy::early, policy::claim,   policy::ticket};

/// Who moves the config: the target itself, or the source.
constexpr bool target_moves_config(policy p) { return p == policy::claim || p == policy::ticket; }

std::string_view to_string(policy p);
std::optional<policy> policy_from_string(std::string_view text);
/// "check, nocheck, lock, early, claim, ticket": for messages that tell what would be right.
std::string_view policy_names();

} // namespace drover
