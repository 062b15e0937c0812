#include "runtime/wire/message.hpp"

#include <array>
#include <utility>

namespace drover::wire {
namespace {

constexpr std::array<std::pair<run_state, std::string_view>, 6> run_states{{
  {run_state::absent, "absent"},
  {run_state::running, "running"},
  {run_state::paused, "paused"},
  {run_state::incoming, "incoming"},
  {run_state::postmigrate, "postmigrate"},
  {run_state::other, "other"},
}};

constexpr std::array<std::pair<stream_end, std::string_view>, 3> stream_ends{{
  {stream_end::completed, "completed"},
  {stream_end::failed, "failed"},
  {stream_end::cancelled, "cancelled"},
}};

} // namespace

std::string_view to_string(run_state s) {
  for (const auto& [value, name] : run_states)
    if (value == s)
      return name;
  return "other";
}

std::optional<run_state> run_state_from_string(std::string_view text) {
  for (const auto& [value, name] : run_states)
    if (name == text)
      return value;
  return std::nullopt;
}

std::string_view to_string(stream_end e) {
  for (const auto& [value, name] : stream_ends)
    if (value == e)
      return name;
  return "failed";
}

std::optional<stream_end> stream_end_from_string(std::string_view text) {
  for (const auto& [value, name] : stream_ends)
    if (name == text)
      return value;
  return std::nullopt;
}

} // namespace drover::wire
