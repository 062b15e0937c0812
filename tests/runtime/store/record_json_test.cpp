#include "runtime/store/record_json.hpp"

#include <catch2/catch.hpp>
#include <limits>

namespace drover {
namespace {

handover_record sample() {
  return {vm_id{105},    epoch{7},      record_state::moving, node_id{"n1"},
          node_id{"n2"}, policy::claim, "host:1234",          source_outcome::kept};
}

/// The sample's text with one part replaced.
std::string altered(const std::string& part, const std::string& by) {
  auto text = record_text(sample());
  const auto at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.replace(at, part.size(), by);
}

struct broken_record {
  const char* part;
  const char* by;
  const char* says;
};

constexpr broken_record table[] = {
  {"\"vm\": 105", "\"vm\": \"105\"",
   "$.vm: expected a whole number from 1 to 999999999, got \"105\""},
  {"\"vm\": 105", "\"vm\": -105", "$.vm: expected"},
  {"\"vm\": 105", "\"vm\": 4294967401", "$.vm: expected"},
  {"\"vm\": 105", "\"vm\": 0", "$.vm: expected"},
  {"\"vm\": 105", "\"wm\": 105", "$.vm: is missing"},
  {"\"epoch\": 7", "\"epoch\": 7.5", "$.epoch: expected a whole number"},
  {"\"epoch\": 7", "\"epoch\": 18446744073709551616", "$.epoch: expected a whole number"},
  {"\"epoch\": 7", "\"epoch\": null", "$.epoch: expected a whole number"},
  {"\"moving\"", "\"flying\"", "$.state: expected one of settled, moving, got \"flying\""},
  {"\"moving\"", "[]", "$.state: expected a string, got []"},
  {"\"n1\"", "\"\"", "$.source: must not be empty"},
  {"\"n2\"", "{}", "$.target: expected a string"},
  {"\"claim\"", "\"hope\"", "$.policy: expected one of check, nocheck, lock, early, claim, ticket"},
  {"\"host:1234\"", "12", "$.controller: expected a string, got 12"},
  {"\"kept\"", "\"lost\"", "$.outcome: expected one of unpublished, completed, kept"},
  {"{", "[", "$: "},
  {"}", "", "$: "},
};

} // namespace

TEST_CASE("a record comes back as it was written") {
  for (const auto state : {record_state::moving, record_state::settled})
    for (const auto outcome :
         {source_outcome::unpublished, source_outcome::completed, source_outcome::kept,
          source_outcome::voided}) {
      auto record = sample();
      record.state = state;
      record.outcome = outcome;
      record.number = epoch{std::numeric_limits<std::uint64_t>::max()};
      record.target_boot_id = outcome == source_outcome::voided ? "boot \"7\"" : "";
      CHECK(parse_record(record_text(record)) == record);
    }
}

TEST_CASE("a record's text is what people expect to find in the file") {
  CHECK(record_text(sample()) == R"({
  "vm": 105,
  "epoch": 7,
  "state": "moving",
  "source": "n1",
  "target": "n2",
  "policy": "claim",
  "controller": "host:1234",
  "outcome": "kept"
}
)");
}

TEST_CASE("a key that this version does not know is ignored") {
  CHECK(parse_record(altered("{", "{\"colour\": [1, {}],")) == sample());
}

TEST_CASE("a broken record is one error that names the file, the path and what would be right") {
  for (const auto& row : table) {
    INFO(row.by);
    const auto record = parse_record(altered(row.part, row.by), "vm/105.json");
    REQUIRE_FALSE(record);
    CHECK(record.error().code == errc::invalid);
    CHECK(record.error().context == "vm/105.json");
    CHECK_THAT(record.error().what, Catch::StartsWith(row.says));
  }
}

TEST_CASE("a record cut at any byte is refused") {
  const auto text = record_text(sample());
  for (std::size_t size = 0; size + 2 < text.size(); ++size)
    CHECK_FALSE(parse_record(text.substr(0, size)));
  CHECK_FALSE(parse_record("null"));
  CHECK_FALSE(parse_record("\xff\xfe"));
  CHECK_FALSE(parse_record(std::string(100000, '[')));
}

TEST_CASE("a controller's name that is not UTF-8 does not stop a handover") {
  auto record = sample();
  record.controller = "h\xc3st";
  CHECK(parse_record(record_text(record)).has_value());
}

TEST_CASE("a lock's holder comes back as it was written, and a broken one is refused") {
  const store_lock lock{"drover-vm-100", "host:\"1234\""};
  CHECK(parse_lock(lock_text(lock)) == lock);
  CHECK_FALSE(parse_lock("{}"));
  CHECK_FALSE(parse_lock(R"({"name": "a", "holder": ""})"));
  CHECK_FALSE(parse_lock(R"({"name": 1, "holder": "x"})"));
}

} // namespace drover
