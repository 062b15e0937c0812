#include "runtime/journal/journal.hpp"

namespace drover {

std::string_view to_string(run_wish wish) {
  switch (wish) {
  case run_wish::go_on:
    return "go_on";
  case run_wish::pause:
    return "pause";
  case run_wish::cancel:
    break;
  }
  return "cancel";
}

std::optional<run_wish> run_wish_from_string(std::string_view text) {
  for (const auto wish : {run_wish::go_on, run_wish::pause, run_wish::cancel})
    if (to_string(wish) == text)
      return wish;
  return std::nullopt;
}

} // namespace drover
