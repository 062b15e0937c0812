// The list of wrong changes still fits the code: each block is whole and changes one place.
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct mutation {
  std::string name;
  std::string file;
  std::string find;
  std::string replace;
  std::string why;
  std::string caught_by;
};

std::string read(const std::string& path) {
  std::ifstream in{std::string{DROVER_ROOT} + "/" + path};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool take(const std::string& line, std::string_view key, std::string& value) {
  if (!line.starts_with(key))
    return false;
  value = line.substr(key.size());
  return true;
}

/// A line that belongs to no field fails the test: `run.sh` would pass over it.
std::vector<mutation> read_list() {
  std::vector<mutation> all;
  std::istringstream text{read("tests/mutations/list.txt")};
  for (std::string line; std::getline(text, line);) {
    std::string name;
    if (take(line, "== ", name)) {
      all.push_back({});
      all.back().name = name;
      continue;
    }
    if (line.empty())
      continue;
    INFO(line);
    REQUIRE_FALSE(all.empty());
    auto& m = all.back();
    const bool known = take(line, "file: ", m.file) || take(line, "find: ", m.find) ||
                       take(line, "replace: ", m.replace) || take(line, "why: ", m.why) ||
                       take(line, "caught by: ", m.caught_by);
    CHECK(known);
  }
  return all;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++n;
  return n;
}

bool tells_what_caught_it(const std::string& text) {
  static const std::set<std::string> programs{
    "agent_core_test", "handover_test", "lock_table_test", "node_session_test", "recovery_test"};
  return programs.contains(text) || text.starts_with("seeds (");
}

} // namespace

TEST_CASE("at least 25 wrong changes are listed under names of their own", "[mutations]") {
  const auto all = read_list();
  CHECK(all.size() >= 25);
  std::set<std::string> names;
  for (const auto& m : all) {
    INFO(m.name);
    CHECK_FALSE(m.name.empty());
    CHECK(names.insert(m.name).second);
  }
}

TEST_CASE("each wrong change fits one place of the code", "[mutations]") {
  for (const auto& m : read_list()) {
    INFO(m.name << " in " << m.file);
    CHECK_FALSE(m.find.empty());
    CHECK(count(read(m.file), m.find) == 1);
    CHECK(m.replace != m.find);
  }
}

TEST_CASE("each wrong change says why it is wrong and what caught it", "[mutations]") {
  for (const auto& m : read_list()) {
    INFO(m.name << ": " << m.caught_by);
    CHECK_FALSE(m.why.empty());
    CHECK(tells_what_caught_it(m.caught_by));
  }
}
