#include "runtime/program/past_runs.hpp"

#include "runtime/journal/run_id.hpp"
#include "runtime/program/state_directory.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace drover {
namespace {

constexpr std::string_view ending = ".json";

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

result<past_runs> past_runs::at(const std::string& wanted) {
  const auto directory = state_directory(wanted);
  if (!directory)
    return tl::unexpected(directory.error());
  return past_runs{*directory / "runs"};
}

std::filesystem::path past_runs::file_of(const std::string& id) const {
  return directory_ / (id + std::string{ending});
}

std::string past_runs::free_id(const std::string& what, wall_time begun) const {
  std::error_code problem;
  for (unsigned copy = 1;; ++copy)
    if (auto id = run_id(what, begun, copy); !std::filesystem::exists(file_of(id), problem))
      return id;
}

result<done> past_runs::keep(const std::string& id, nlohmann::ordered_json run) {
  std::error_code problem;
  std::filesystem::create_directories(directory_, problem);
  if (problem)
    return fail(
      errc::refused, "the run cannot be kept for drover report: " + problem.message(),
      directory_.string());
  run["id"] = id;
  run["title"] = id;
  const auto text =
    run.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (auto written = write_whole(file_of(id), text); !written)
    return written;
  const auto all = ids();
  for (std::size_t i = 0; i + kept_max < all.size(); ++i)
    std::filesystem::remove(file_of(all[i]), problem);
  return done{};
}

std::vector<std::string> past_runs::ids() const {
  std::vector<std::string> all;
  std::error_code problem;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, problem))
    if (const auto name = entry.path().stem().string();
        entry.path().extension() == ending && is_run_id(name))
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
  if (!is_run_id(wanted) || !std::filesystem::is_regular_file(file_of(wanted), problem))
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
