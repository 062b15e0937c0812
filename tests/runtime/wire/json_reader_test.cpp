// What the strict reader says about files with mistakes.
#include "runtime/wire/json_reader.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace drover;

struct node_entry {
  node_id name;
  std::uint32_t slots = 0;
};

/// A small file format as a parser would read it.
result<std::vector<node_entry>> read_file(std::string_view text) {
  const auto document = wire::parse_json(text);
  if (!document)
    return tl::unexpected<error>(document.error());
  wire::object_reader root(*document, "");
  std::vector<node_entry> nodes;
  root.required<std::string>("name");
  auto store = root.object("store");
  if (store.required<std::string>("kind") != "pmxcfs")
    store.refuse("kind", "expected pmxcfs");
  store.refuse_unknown();
  root.each("nodes", [&](wire::object_reader& node, std::size_t) {
    const auto name = node.required<node_id>("name");
    nodes.push_back({name, node.optional<std::uint32_t>("slots", 4)});
  });
  root.each_member("limits", [&](wire::object_reader& limit, const std::string&) {
    limit.required<std::uint16_t>("most");
  });
  if (const auto ok = root.finish(); !ok)
    return tl::unexpected<error>(ok.error());
  return nodes;
}

} // namespace

TEST_CASE("a file without mistakes is read, with its defaults", "[pure]") {
  const auto nodes = read_file(R"({"name": "x", "store": {"kind": "pmxcfs"},
    "nodes": [{"name": "n1"}, {"name": "n2", "slots": 2}], "limits": {"a": {"most": 1}}})");
  REQUIRE(nodes);
  REQUIRE(nodes->size() == 2);
  CHECK((*nodes)[0].name == node_id("n1"));
  CHECK((*nodes)[0].slots == 4);
  CHECK((*nodes)[1].slots == 2);
}

TEST_CASE("the first mistake of a file is named by its path", "[pure]") {
  const std::vector<std::pair<const char*, const char*>> rows{
    {"[]", "/: expected an object, found a list"},
    {R"({"store":{"kind":"pmxcfs"}})", "/name: is missing"},
    {R"({"name":"x"})", "/store: is missing"},
    {R"({"name":"x","store":7})", "/store: expected an object, found 7"},
    {R"({"name":"x","store":{}})", "/store/kind: is missing"},
    {R"({"name":"x","store":{"kind":"etcd"}})", "/store/kind: expected pmxcfs"},
    {R"({"name":"x","store":{"kind":"pmxcfs","a/b":1}})",
     "/store/a~1b: unknown field; known here: kind"},
    {R"({"name":"x","store":{"kind":"pmxcfs"},"nodes":{}})",
     "/nodes: expected a list, found an object"},
    {R"({"name":"x","store":{"kind":"pmxcfs"},"nodes":[{"name":"a"},{"slots":1}]})",
     "/nodes/1/name: is missing"},
    {R"({"name":"x","store":{"kind":"pmxcfs"},"nodes":[{"name":"a","slots":-1}]})",
     "/nodes/0/slots: expected a whole number from 0 to 4294967295, found -1"},
    {R"({"name":"x","store":{"kind":"pmxcfs"},"nodes":[{"name":"a","slot":1}]})",
     "/nodes/0/slot: unknown field; known here: name, slots"},
    {R"({"name":"x","store":{"kind":"pmxcfs"},"limits":{"a":{"most":70000}}})",
     "/limits/a/most: expected a whole number from 0 to 65535, found 70000"},
    {R"({"name":"x","store":{"kind":"pmxcfs"},"limits":[1]})",
     "/limits: expected an object, found a list"},
    {R"({"name":"x","store":{"kind":"pmxcfs"},"nodez":[]})",
     "/nodez: unknown field; known here: limits, name, nodes, store"},
    {R"({"name":"x","name":"y"})", "the field \"name\" is given twice"},
    {"{\n  \"name\": oops\n}",
     "line 2, column 11: not JSON: error while parsing value - invalid literal"},
    {"", "line 1, column 1: not JSON: error while parsing value - unexpected end of input; "
         "expected '[', '{', or a literal"},
    {R"({"name":1e999})", "not JSON: a number is out of range"},
  };
  for (const auto& [text, what] : rows) {
    CAPTURE(text);
    const auto nodes = read_file(text);
    REQUIRE_FALSE(nodes);
    CHECK(nodes.error() == error{errc::invalid, what, {}});
  }
}

TEST_CASE("a parse error stays short however long the bad token is", "[pure]") {
  const auto parsed = wire::parse_json("{\"a\": \"" + std::string(100000, 'x'));
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().what.size() < 300);
}

TEST_CASE("hundreds of thousands of open brackets are an error, not a crash", "[pure]") {
  CHECK_FALSE(wire::parse_json(std::string(500000, '[')));
  CHECK_FALSE(wire::parse_json_line(std::string(500000, '[')));
}
