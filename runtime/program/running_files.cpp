#include "runtime/program/running_files.hpp"

#include "runtime/program/past_runs.hpp"
#include "runtime/program/process_lock.hpp"
#include "runtime/program/run_log.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <set>
#include <string>
#include <string_view>

namespace drover {
namespace {

constexpr std::array<std::string_view, 3> endings{".log", ".lock", ".sock"};
constexpr std::string_view unnamed = "starting-";

bool is_of_run(const std::filesystem::path& file) {
  const auto extension = file.extension().string();
  for (const auto ending : endings)
    if (extension == ending)
      return true;
  return false;
}

/// "starting-123" of a process 123 that is no more.
bool is_of_dead(std::string_view name) {
  if (!name.starts_with(unnamed))
    return false;
  name.remove_prefix(unnamed.size());
  pid_t pid = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
  const bool whole = problem == std::errc{} && end == name.data() + name.size() && pid > 0;
  return whole && ::kill(pid, 0) != 0 && errno == ESRCH;
}

} // namespace

void prune_running(const std::filesystem::path& state) {
  std::error_code problem;
  std::set<std::string> ids; // In the order of their age.
  for (const auto& entry : std::filesystem::directory_iterator(state / "running", problem)) {
    const auto name = entry.path().stem().string();
    if (!is_of_run(entry.path()))
      continue;
    if (is_of_dead(name))
      std::filesystem::remove(entry.path(), problem);
    else if (!name.starts_with(unnamed))
      ids.insert(name);
  }
  for (auto id = ids.begin(); ids.size() > past_runs::kept_max;) {
    if (!process_lock::holder(alive_file(state, *id)))
      for (const auto ending : endings)
        std::filesystem::remove(state / "running" / (*id + std::string{ending}), problem);
    id = ids.erase(id);
  }
}

} // namespace drover
