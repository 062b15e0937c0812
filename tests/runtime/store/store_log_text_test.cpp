#include "runtime/store/store_log_text.hpp"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

namespace drover {
namespace {

const vm_id vm{100};
const node_id n1{"n1"};

config_text text_of(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

std::string why_not(const std::string& line) {
  const auto entry = parse_entry(line, "log, line 3");
  if (entry)
    return "accepted";
  CHECK(entry.error().code == errc::invalid);
  return to_string(entry.error());
}

} // namespace

TEST_CASE("an entry is one line, and the line says the same when it is read back") {
  const std::string odd = "# gr\xc3\xbc\xc3\x9f\x65\r\nname: \"a\"\n\\x\0\n";
  const handover_record record{
    vm,
    epoch{7},
    record_state::moving,
    n1,
    node_id{"n2"},
    policy::ticket,
    "c \xc3\xbc",
    source_outcome::completed};
  const std::vector<store_change> changes{
    config_placed{vm, n1, text_of(odd)},
    config_placed{vm, n1, text_of("not \xff UTF-8 \xc3")},
    config_placed{vm, n1, nullptr},
    config_removed{vm},
    record_written{record},
    record_removed{vm},
    lock_taken{"lease", "a holder\n", n1},
    lock_removed{"lease"},
    nothing_changed{}};
  for (const auto& change : changes) {
    const log_entry entry{nanoseconds{1'577'836'800'123'456'789}, n1, change};
    const auto line = entry_line(entry);
    INFO(line);
    REQUIRE(line.find('\n') == line.size() - 1);
    const auto back = parse_entry(std::string_view(line).substr(0, line.size() - 1), "log");
    REQUIRE(back);
    CHECK(back->at == entry.at);
    CHECK(back->author == n1);
    CHECK(back->change.index() == change.index());
    CHECK(entry_line(*back) == line);
    if (const auto* placed = std::get_if<config_placed>(&change); placed && placed->text)
      CHECK(*std::get<config_placed>(back->change).text == *placed->text);
  }
}

TEST_CASE("a line that is no entry is told with its place and what is wrong") {
  const std::vector<std::pair<std::string, std::string>> faults{
    {R"({"at":1,"node":"n1"})", "/op: is missing (log, line 3)"},
    {R"({"at":1,"node":"n1","op":"mvoe"})",
     "/op: expected one of place, remove, record, forget, lock, unlock, touch, found \"mvoe\" "
     "(log, line 3)"},
    {R"({"node":"n1","op":"touch"})", "/at: is missing (log, line 3)"},
    {R"({"at":1,"node":"n1","op":"touch","vm":5})",
     "/vm: unknown field; known here: at, node, op (log, line 3)"},
    {R"({"at":1,"node":"n1","op":"place","vm":5,"owner":"n2","bytes":"0g"})",
     "/bytes: expected pairs of hexadecimal digits (log, line 3)"},
    {R"({"at":1,"node":"n1","op":"record"})", "/record: is missing (log, line 3)"},
    {R"({"at":1,"node":"n1","op":"record","record":{"vm":100}})",
     "/record: $.epoch: is missing (log, line 3)"},
    {"[]", "/: expected an object, found a list (log, line 3)"},
  };
  for (const auto& [line, message] : faults) {
    INFO(line);
    CHECK(why_not(line) == message);
  }
  for (const std::string line : {"", "{", "\xff", "null"})
    CHECK_THAT(why_not(line), Catch::EndsWith("(log, line 3)"));
}

} // namespace drover
