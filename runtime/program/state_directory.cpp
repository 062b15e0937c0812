#include "runtime/program/state_directory.hpp"

#include <cstdlib>

namespace drover {
namespace {

std::string text_of_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

} // namespace

result<std::filesystem::path> state_directory(const std::string& wanted) {
  std::error_code problem;
  if (!wanted.empty())
    return std::filesystem::absolute(wanted, problem);
  if (const auto state = text_of_variable("XDG_STATE_HOME"); !state.empty())
    return std::filesystem::path{state} / "drover";
  if (const auto home = text_of_variable("HOME"); !home.empty())
    return std::filesystem::path{home} / ".local/state/drover";
  return fail(errc::invalid, "past runs have no place without HOME: name one with --state-dir");
}

} // namespace drover
