#include "runtime/program/past_runs.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace drover {
namespace {

constexpr std::string_view ending = ".json";

std::string text_of_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

std::string moment(wall_time now) {
  const auto s = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::time_t at = s;
  std::tm parts{};
  gmtime_r(&at, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%d-%H%M%S", &parts);
  return text.data();
}

/// An id is a file's name, so it holds nothing that leads elsewhere.
bool is_id(const std::string& text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.front() != '.' && std::all_of(text.begin(), text.end(), is_plain);
}

result<done> write_whole(const std::filesystem::path& path, const std::string& text) {
  auto beside = path;
  beside += ".part" + std::to_string(getpid());
  std::ofstream file{beside, std::ios::binary | std::ios::trunc};
  file << text;
  file.close();
  std::error_code problem;
  if (file)
    std::filesystem::rename(beside, path, problem);
  if (file && !problem)
    return done{};
  std::filesystem::remove(beside, problem);
  return fail(errc::refused, "the run cannot be kept for drover report", path.string());
}

} // namespace

result<past_runs> past_runs::at(const std::string& directory) {
  if (!directory.empty())
    return past_runs{std::filesystem::path{directory} / "runs"};
  if (const auto state = text_of_variable("XDG_STATE_HOME"); !state.empty())
    return past_runs{std::filesystem::path{state} / "drover/runs"};
  if (const auto home = text_of_variable("HOME"); !home.empty())
    return past_runs{std::filesystem::path{home} / ".local/state/drover/runs"};
  return fail(errc::invalid, "past runs have no place without HOME: name one with --state-dir");
}

std::filesystem::path past_runs::file_of(const std::string& id) const {
  return directory_ / (id + std::string{ending});
}

result<std::string> past_runs::keep(
  const std::string& what, nlohmann::ordered_json run, wall_time now) {
  std::error_code problem;
  std::filesystem::create_directories(directory_, problem);
  if (problem)
    return fail(
      errc::refused, "the run cannot be kept for drover report: " + problem.message(),
      directory_.string());
  const auto wanted = moment(now) + "-" + what;
  auto id = wanted;
  for (int more = 2; std::filesystem::exists(file_of(id), problem); ++more)
    id = wanted + "-" + std::to_string(more);
  run["id"] = id;
  run["title"] = id;
  const auto text =
    run.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (auto written = write_whole(file_of(id), text); !written)
    return tl::unexpected(written.error());
  const auto all = ids();
  for (std::size_t i = 0; i + kept_max < all.size(); ++i)
    std::filesystem::remove(file_of(all[i]), problem);
  return id;
}

std::vector<std::string> past_runs::ids() const {
  std::vector<std::string> all;
  std::error_code problem;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, problem))
    if (const auto name = entry.path().stem().string();
        entry.path().extension() == ending && is_id(name))
      all.push_back(name);
  std::sort(all.begin(), all.end());
  return all;
}

result<nlohmann::ordered_json> past_runs::read(const std::string& id) const {
  const auto all = id == "last" ? ids() : std::vector<std::string>{};
  if (id == "last" && all.empty())
    return fail(errc::invalid, "no run was kept yet", directory_.string());
  const auto wanted = id == "last" ? all.back() : id;
  std::error_code problem;
  if (!is_id(wanted) || !std::filesystem::is_regular_file(file_of(wanted), problem))
    return fail(
      errc::invalid, "there is no past run '" + id + "'; drover report lists them",
      directory_.string());
  std::ifstream file{file_of(wanted), std::ios::binary};
  auto run = nlohmann::ordered_json::parse(file, nullptr, false);
  const bool is_run = run.is_object() && run.contains("vms") && run.at("vms").is_array() &&
                      run.contains("evacuations") && run.contains("environment");
  if (!file || !is_run)
    return fail(errc::invalid, "this is no past run", file_of(wanted).string());
  return run;
}

} // namespace drover
