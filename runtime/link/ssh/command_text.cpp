#include "runtime/link/ssh/command_text.hpp"

#include <string_view>

namespace drover::ssh {
namespace {

constexpr std::string_view harmless =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,-./:@_";

std::string quoted(const std::string& word) {
  if (!word.empty() && word.find_first_not_of(harmless) == std::string::npos)
    return word;
  std::string text = "'";
  for (const char c : word)
    text += c == '\'' ? std::string_view{"'\\''"} : std::string_view{&c, 1};
  return text + "'";
}

} // namespace

result<std::string> command_text(const std::vector<std::string>& argv) {
  if (argv.empty() || argv[0].empty())
    return fail(errc::invalid, "no command to start");
  std::string text;
  for (const auto& word : argv) {
    if (word.find('\0') != std::string::npos)
      return fail(errc::invalid, "a word of the agent's command holds a NUL byte");
    text += (text.empty() ? "" : " ") + quoted(word);
  }
  return text;
}

} // namespace drover::ssh
