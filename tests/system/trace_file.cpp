#include "tests/system/trace_file.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <thread>

namespace drover::testing {

using nlohmann::json;

std::vector<json> trace_file::events() const {
  std::vector<json> all;
  std::ifstream lines{path_};
  for (std::string line; std::getline(lines, line);)
    if (auto event = json::parse(line, nullptr, false); event.is_object())
      all.push_back(std::move(event));
  return all;
}

bool trace_file::wait_for(
  const json& wanted, std::size_t count, std::chrono::seconds patience) const {
  const auto until = std::chrono::steady_clock::now() + patience;
  const auto is_like = [&](const json& event) {
    const auto fields = wanted.items();
    return std::all_of(fields.begin(), fields.end(), [&](const auto& field) {
      return event.contains(field.key()) && event.at(field.key()) == field.value();
    });
  };
  for (;;) {
    const auto seen = events();
    const auto alike = std::count_if(seen.begin(), seen.end(), is_like);
    if (static_cast<std::size_t>(alike) >= count)
      return true;
    if (std::chrono::steady_clock::now() >= until)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

void trace_file::check_no_pause_waited() const {
  struct pause {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };
  const auto all = events();
  std::map<int, pause> pauses;
  for (const auto& event : all)
    if (event.at("event") == "pause_mark") {
      if (event.at("mark") == "source_stopped")
        pauses[event.at("vm")] = {event.at("marked_at"), 0};
      if (event.at("mark") == "resumed")
        pauses[event.at("vm")].end = event.at("marked_at");
    }
  CHECK_FALSE(pauses.empty());
  for (const auto& event : all) {
    if (event.at("event") != "store_operation" || !pauses.contains(event.at("vm")))
      continue;
    const auto& in = pauses.at(event.at("vm"));
    INFO(event.dump());
    CHECK_FALSE((event.at("begin") < in.end && event.at("end") > in.begin));
  }
}

} // namespace drover::testing
