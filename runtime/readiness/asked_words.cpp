#include "runtime/readiness/asked_words.hpp"

namespace drover {

asked_words read_asked_words(std::string_view original_command) {
  asked_words asked;
  while (!original_command.empty()) {
    const auto end = original_command.find(' ');
    const auto word = original_command.substr(0, end);
    asked.observe = asked.observe || word == "--observe";
    asked.check = asked.check || word == "--check";
    original_command.remove_prefix(
      end == std::string_view::npos ? original_command.size() : end + 1);
  }
  return asked;
}

} // namespace drover
