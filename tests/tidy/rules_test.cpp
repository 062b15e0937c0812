// Each rule finds the violation planted here, and lets the harmless neighbour pass.
#include "tests/tidy/bans.hpp"
#include "tests/tidy/layers.hpp"
#include "tests/tidy/rooms.hpp"
#include "tests/tidy/sizes.hpp"
#include "tests/tidy/source_text.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <vector>

using namespace drover::tidy;

namespace {

struct planted {
  std::string path;
  std::string text;
  std::string said; ///< part of the remedy; empty where nothing may be found
};

template <class Rule>
void judge(Rule rule, const std::vector<planted>& cases) {
  for (const auto& [path, text, said] : cases) {
    INFO(path << ": " << text.substr(0, 200));
    const findings found = rule(source_file{path, text});
    if (said.empty()) {
      for (const auto& one : found)
        FAIL_CHECK("found where nothing is wrong: " << one);
      continue;
    }
    REQUIRE(found.size() == 1);
    CHECK(found.front().path == path);
    CHECK((found.front().rule + ": " + found.front().remedy).find(said) != std::string::npos);
  }
}

findings bans_only(const source_file& file) {
  std::set<std::string> used;
  return check_bans(file, used);
}

std::string function_of(std::size_t lines, const std::string& signature) {
  std::string text = signature + " {\n";
  for (std::size_t i = 2; i < lines; ++i)
    text += "  step();\n";
  return text + "}\n";
}

} // namespace

TEST_CASE("an include against the layers is found", "[tidy]") {
  judge(
    check_layers,
    {{"runtime/base/x.cpp", "#include \"runtime/wire/message.hpp\"\n", "runtime/base may include"},
     {"runtime/wire/x.cpp", "#include \"runtime/base/ids.hpp\"\n#include <nlohmann/json.hpp>\n",
      ""},
     {"runtime/base/x.cpp", "#include <nlohmann/json.hpp>\n", "may use the libraries"},
     {"runtime/store/x.cpp", "#include \"runtime/hypervisor/hypervisor.hpp\"\n", "may include"},
     {"runtime/agent/x.cpp", "#include \"runtime/store/store.hpp\"\n", ""},
     {"runtime/agent/x.cpp", "#include <caf/all.hpp>\n", "may use the libraries"},
     {"runtime/agent/x.cpp", "#include \"actors/protocol.hpp\"\n", "may include"},
     {"actors/plan.cpp", "#include <caf/all.hpp>\n", "pure halves know no CAF"},
     {"actors/a/x_actor.cpp", "#include <caf/all.hpp>\n", ""},
     {"actors/protocol.hpp", "#include <caf/all.hpp>\n", ""},
     {"actors/a/x_actor.cpp", "#include \"runtime/link/process_link.hpp\"\n", "behind a port"},
     {"actors/a/x_actor.cpp", "#include \"runtime/link/link.hpp\"\n", ""},
     {"actors/a/x.cpp", "#include \"metrics/recorder.hpp\"\n", "may include"},
     {"metrics/x.cpp", "#include \"actors/protocol.hpp\"\n", "metrics may include"},
     {"runtime/bin/drover.cpp", "#include \"tests/support/x.hpp\"\n", "may include"},
     {"runtime/unheard_of/x.cpp", "#include <string>\n", "no layer is named"},
     {"runtime/base/x.cpp", "#include \"error.hpp\"\n", "from the top"},
     {"runtime/base/x.cpp", "// #include \"runtime/wire/message.hpp\"\n", ""}});
}

TEST_CASE("lines too long, tabs and trailing blanks are found", "[tidy]") {
  judge(
    check_lines, {{"actors/x.cpp", std::string(100, 'x') + "\n", ""},
                  {"actors/x.cpp", std::string(101, 'x') + "\n", "101 columns"},
                  {"actors/x.cpp", "// " + std::string(97, 'x').replace(0, 1, "\u00e9") + "\n", ""},
                  {"README.md", std::string(300, 'x') + "\n", ""},
                  {"actors/x.cpp", "\tint i;\n", "tab"},
                  {"actors/x.cpp", "int i; \n", "trailing blank"},
                  {"README.md", "words \n", "trailing blank"},
                  {"tests/runtime/store/data/broken.conf", "words \n\t", ""},
                  {"actors/x.cpp", "int i;", "last line"}});
}

TEST_CASE("a file over its limit is found", "[tidy]") {
  std::string text;
  for (std::size_t i = 0; i < file_lines_max; ++i)
    text += "int i;\n";
  judge(
    check_lines, {{"actors/x.cpp", text, ""},
                  {"actors/x.cpp", text + "int i;\n", "501 lines"},
                  {"tests/run.sh", text + "int i;\n", "501 lines"},
                  {"README.md", text + "int i;\n", ""}});
}

TEST_CASE("a function over its limit is found, whatever its signature", "[tidy]") {
  for (const std::string signature :
       {"void f()", "void x::f(int a) const noexcept", "auto f() -> std::vector<int>",
        "x::x(int a) : a_(a), b_{2}", "TEST_CASE(\"a {name}\")", "template <class T> void f(T t)",
        "namespace a {\nstruct b : c<int()> {\npublic:\nint f()", "#define Y {\nvoid f()",
        "const char* s = \"{\";\nvoid f()"}) {
    INFO(signature);
    CHECK(check_functions({"a/x.cpp", function_of(70, signature)}).empty());
    const auto found = check_functions({"a/x.cpp", function_of(71, signature)});
    REQUIRE(found.size() == 1);
    CHECK(found.front().rule == "function size");
  }
}

TEST_CASE("long types, tables and namespaces are no functions", "[tidy]") {
  for (const std::string head :
       {"struct x", "namespace y", "const table x", "enum class z : int",
        "class x : public y<void()>", "template <class T> struct v", "extern \"C\""})
    CHECK(check_functions({"a/x.cpp", function_of(200, head)}).empty());
}

TEST_CASE("lambdas count for the function that holds them", "[tidy]") {
  const auto inner = function_of(60, "  const auto g = [](int a)");
  CHECK(check_functions({"a/x.cpp", "void f() {\n" + inner + "}\n"}).empty());
  CHECK(check_functions({"a/x.cpp", "void f() {\n" + inner + inner + "}\n"}).size() == 1);
}

TEST_CASE("a table inside a function counts with its first and last line", "[tidy]") {
  const auto around = [](const std::string& open, std::size_t rows, const std::string& close) {
    std::string text = "void f() {\n  " + open + "\n";
    for (std::size_t i = 0; i < rows; ++i)
      text += "    {1, {2}, \"a\"},\n";
    return text + "  " + close + "\n";
  };
  const auto size = [](const std::string& text) {
    return check_functions({"a/x.cpp", text}).size();
  };
  CHECK(size(around("const std::vector<row> rows{", 90, "};\n  step();\n}")) == 0);
  CHECK(size(around("judge(g,\n  {", 90, "});\n}")) == 0);
  CHECK(size(around("const rows all = {", 90, "};\n}")) == 0);
  CHECK(size(around("const rows all = {", 90, "};\n" + function_of(70, "if (a)") + "}")) == 1);
  CHECK(size(around("if (a) {", 90, "}\n}")) == 1);
  CHECK(size(around("const auto g = [] (int a) {", 90, "};\n}")) == 1);
}

TEST_CASE("a banned call is found in code, not in comments or strings", "[tidy]") {
  judge(
    bans_only, {{"actors/x.cpp", "auto t = std::chrono::steady_clock::now();\n", "clock"},
                {"actors/x.cpp", "// steady_clock is banned\n", ""},
                {"actors/x.cpp", "/* one\n std::mutex */ int i;\n", ""},
                {"actors/x.cpp", "auto t = \"std::mutex\"; auto u = R\"(getenv())\";\n", ""},
                {"actors/x.cpp", "auto n = 1'000; std::mutex m;\n", "lock"},
                {"actors/x.cpp", "auto t = wall_now();\n", "clock"},
                {"actors/x.cpp", "auto t = settings_.wall_now();\n", ""},
                {"actors/x.cpp", "pending<done> sleep(nanoseconds delay);\n", ""},
                {"actors/x.cpp", "sleep(1);\n", "sleep"},
                {"actors/x.cpp", "std::filesystem::path home;\n", ""},
                {"actors/x.cpp", "std::filesystem::remove(home);\n", "file"},
                {"actors/x.cpp", "auto i = rand();\n", "luck"},
                {"actors/x.cpp", "auto i = operand(2);\n", ""},
                {"actors/x.cpp", "std::this_thread::sleep_for(1s);\n", "sleep"},
                {"actors/x.cpp", "std::thread t;\n", "thread"},
                {"actors/x.cpp", "std::thread::id t;\n", ""},
                {"actors/x.cpp", "auto e = std::getenv(\"HOME\");\n", "environment"},
                {"actors/x.cpp", "std::ifstream f{name};\n", "file"},
                {"actors/x.cpp", "int fd = ::open(name, 0);\n", "file"},
                {"actors/x.cpp", "link::open(events);\n", ""},
                {"actors/x.cpp", "#include <iostream>\n", "stream"},
                {"actors/x.cpp", "assert(i);\n", "assert"},
                {"actors/x.cpp", "static_assert(sizeof(int) == 4);\n", ""},
                {"runtime/base/time.cpp", "auto t = std::chrono::system_clock::now();\n", ""},
                {"runtime/base/time.cpp", "std::mutex m;\n", "lock"},
                {"tests/x_test.cpp", "std::mutex m;\n", ""},
                {"tests/x_test.cpp", "std::random_device d;\n", "luck"}});
}

TEST_CASE("an allowance that nothing needs is found", "[tidy]") {
  CHECK_FALSE(check_allowances({}).empty());
  std::set<std::string> used;
  check_bans({"metrics/recorder.cpp", "std::mutex m;\n"}, used);
  CHECK(used.count("metrics/recorder lock") == 1);
}

TEST_CASE("a mark of unfinished work is found", "[tidy]") {
  judge(
    check_marks, {{"actors/x.cpp", "// TODO later\n", "do it now"},
                  {"actors/x.cpp", "auto t = \"TODO\";\n", ""},
                  {"tests/run.sh", "# FIXME\n", "do it now"}});
}

TEST_CASE("a header without its opening is found", "[tidy]") {
  judge(
    check_header, {{"actors/x.hpp", "// What it is.\n#pragma once\n", ""},
                   {"actors/x.hpp", "// What it is.\n//\n// More.\n#pragma once\nint i;\n", ""},
                   {"actors/x.hpp", "#pragma once\n", "open with"},
                   {"actors/x.hpp", "// What it is.\n\n#pragma once\n", "#pragma once"},
                   {"actors/x.cpp", "int i;\n", ""}});
}

TEST_CASE("a folder with code but no readme is found", "[tidy]") {
  const auto found = check_readmes(
    {{"a/README.md", ""},
     {"a/x.cpp", ""},
     {"b/x.cpp", ""},
     {"c/CMakeLists.txt", ""},
     {"tests/runtime/x/y_test.cpp", ""},
     {"d/x.txt", ""}});
  REQUIRE(found.size() == 1);
  CHECK(found.front().path == "b");
}

TEST_CASE("a scenario without a why is found", "[tidy]") {
  judge(
    check_scenario,
    {{"scenarios/local/x.json", R"({"why": "Shows that a node can be emptied."})", ""},
     {"scenarios/local/x.json", R"({"why": "short"})", "why"},
     {"scenarios/local/x.json", R"({"vms": []})", "why"},
     {"scenarios/local/x.json", "{", "parse"},
     {"runtime/x.json", "{", ""}});
}

TEST_CASE("code and comments are told apart and keep their lines", "[tidy]") {
  const auto parts = split("int a; // b\n\"c // d\" /* e\nf */ g R\"x(h\n)\" )x\" i\n");
  CHECK(lines_of(parts.code).size() == 4);
  CHECK(lines_of(parts.code)[0] == "int a;     ");
  CHECK(trim(lines_of(parts.comments)[0]) == "// b");
  CHECK(trim(lines_of(parts.code)[2]) == "g");
  CHECK(trim(lines_of(parts.code)[3]) == "i");
  CHECK(trim(lines_of(parts.comments)[1]) == "/* e");
}
