#include "runtime/program/run_report.hpp"

#include "metrics/page/page.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace drover {

result<done> prepare_report_directory(const std::filesystem::path& path) {
  std::error_code problem;
  if (std::filesystem::exists(path, problem) && !std::filesystem::is_directory(path, problem))
    return fail(
      errc::invalid, path.string() + ": expected a directory for the report, found a file");
  std::filesystem::create_directories(path, problem);
  if (problem)
    return fail(errc::invalid, path.string() + ": cannot be made: " + problem.message());
  if (access(path.c_str(), W_OK) != 0)
    return fail(errc::invalid, path.string() + ": cannot be written");
  return done{};
}

result<done> write_report_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  file.close();
  if (!file)
    return fail(errc::refused, path.string() + ": cannot be written");
  return done{};
}

nlohmann::ordered_json told_run(nlohmann::ordered_json run, const report_facts& facts) {
  run["title"] = facts.title;
  auto& environment = run["environment"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : facts.environment)
    if (!value.empty())
      environment[name] = value;
  environment["drover"] = DROVER_VERSION;
  return run;
}

result<done> write_run_report(
  const std::filesystem::path& base, const nlohmann::ordered_json& run) {
  auto written = write_report_file(base.string() + ".html", report_page(run));
  if (written)
    written = write_report_file(base.string() + ".csv", vms_csv(run));
  if (written)
    written = write_report_file(base.string() + ".run.json", run.dump(2) + "\n");
  return written;
}

} // namespace drover
