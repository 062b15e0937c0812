#include "runtime/scenario/report_directory.hpp"

#include "runtime/cluster/delay_text.hpp"

#include <fstream>
#include <unistd.h>

namespace drover {
namespace {

result<done> write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  file.close();
  if (!file)
    return fail(errc::refused, path.string() + ": cannot be written");
  return done{};
}

} // namespace

std::string to_string(const run_key& key) {
  std::string name = key.scenario;
  if (key.how)
    name += "." + std::string{to_string(*key.how)};
  if (key.lag)
    name += ".lag-" + format_time_span(*key.lag);
  if (key.seed)
    name += ".seed-" + std::to_string(*key.seed);
  return name;
}

result<report_directory> report_directory::open(const std::filesystem::path& path) {
  std::error_code problem;
  if (std::filesystem::exists(path, problem) && !std::filesystem::is_directory(path, problem))
    return fail(
      errc::invalid, path.string() + ": expected a directory for the report, found a file");
  std::filesystem::create_directories(path, problem);
  if (problem)
    return fail(errc::invalid, path.string() + ": cannot be made: " + problem.message());
  if (access(path.c_str(), W_OK) != 0)
    return fail(errc::invalid, path.string() + ": cannot be written");
  return report_directory{path};
}

result<done> report_directory::write_result(const run_key& key, const std::string& json) const {
  return write_file(path_ / (to_string(key) + ".json"), json);
}

result<done> report_directory::write_comparison(const comparison& c) const {
  auto json = write_file(path_ / (c.scenario + ".comparison.json"), to_json(c));
  return json ? write_file(path_ / (c.scenario + ".comparison.csv"), to_csv(c)) : json;
}

std::filesystem::path report_directory::trace_path(const run_key& key) const {
  return path_ / (to_string(key) + ".trace");
}

} // namespace drover
