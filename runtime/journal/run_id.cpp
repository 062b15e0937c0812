#include "runtime/journal/run_id.hpp"

#include <algorithm>
#include <array>
#include <ctime>

namespace drover {
namespace {

std::string written(wall_time at, const char* format) {
  const std::time_t s = std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
  std::tm parts{};
  gmtime_r(&s, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), format, &parts);
  return text.data();
}

} // namespace

std::string run_id(const std::string& what, wall_time begun, unsigned copy) {
  auto id = written(begun, "%Y%m%d-%H%M%S") + "-" + what;
  if (copy > 1)
    id += "-" + std::to_string(copy);
  return id;
}

bool is_run_id(const std::string& text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.front() != '.' && std::all_of(text.begin(), text.end(), is_plain);
}

std::string moment_text(wall_time at) { return written(at, "%Y-%m-%d %H:%M:%S UTC"); }

} // namespace drover
