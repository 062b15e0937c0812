// The trace as text, and the file that it is written to.
#include "runtime/wire/trace_ndjson.hpp"

#include "runtime/wire/trace_file.hpp"
#include "tests/runtime/wire/wire_samples.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

namespace {

using namespace drover;
using nlohmann::json;
using event_body = decltype(trace_event::body);

/// A file name of this process that is gone when the test is.
struct scratch_file {
  std::filesystem::path path = std::filesystem::temp_directory_path() /
                               ("drover-trace-test-" + std::to_string(::getpid()) + ".ndjson");
  ~scratch_file() { std::filesystem::remove(path); }
  std::vector<json> lines() const {
    std::vector<json> all;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);)
      all.push_back(json::parse(line));
    return all;
  }
};

} // namespace

TEST_CASE("every trace event is one line with its own fields", "[pure]") {
  for (const auto& body : test::one_of_each<event_body>()) {
    const auto line = wire::to_ndjson({wall_time{std::chrono::microseconds{12345}}, body});
    CAPTURE(line);
    CHECK(line.starts_with(R"({"at":12345,"event":")"));
    CHECK(line.find('\n') == std::string::npos);
    const auto parsed = json::parse(line);
    std::visit(
      [&parsed](const auto& b) {
        CHECK(parsed["event"] == b.name);
        std::size_t fields = 0;
        wire::detail::each_field(b, [&](const char* key, const auto& field) {
          CAPTURE(key);
          CHECK(parsed[key] == wire::encode_json(field));
          ++fields;
        });
        // A field named as one of the envelope's own would make this number smaller.
        CHECK(parsed.size() == fields + 2);
      },
      body);
  }
}

TEST_CASE("a trace event's line reads like this", "[pure]") {
  migration_ended ended{vm_id(105),    epoch(7), node_id("n1"), node_id("n2"), "moved", "",
                        policy::claim, 0.125,    std::nullopt,  0.0625,        12.5,    4096};
  CHECK(
    wire::to_ndjson({wall_time{std::chrono::microseconds{1700000000000001}}, ended}) ==
    R"({"at":1700000000000001,"event":"migration_ended","vm":105,"number":7,"source":"n1",)"
    R"("target":"n2","result":"moved","reason":"","how":"claim","pause_s":0.125,)"
    R"("handover_s":0.0625,"total_s":12.5,"bytes":4096})");
}

TEST_CASE("a trace file keeps the events of many threads, each on its line", "[pure]") {
  scratch_file scratch;
  auto opened = wire::trace_file::open(scratch.path.string());
  REQUIRE(opened);
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t)
    threads.emplace_back([t, file = *opened] {
      for (std::uint64_t n = 1; n <= 500; ++n)
        file->take({wall_time{}, phase_changed{vm_id(t), epoch(n), "a", "b"}});
    });
  for (auto& thread : threads)
    thread.join();
  CHECK((*opened)->close());
  std::map<std::uint32_t, std::uint64_t> last;
  for (const auto& line : scratch.lines()) {
    auto& before = last[line.at("vm").get<std::uint32_t>()];
    REQUIRE(line.at("number").get<std::uint64_t>() == before + 1);
    ++before;
  }
  CHECK(last == std::map<std::uint32_t, std::uint64_t>{{0, 500}, {1, 500}, {2, 500}, {3, 500}});
}

TEST_CASE("a trace file shows its events before it is closed", "[pure]") {
  scratch_file scratch;
  auto opened = wire::trace_file::open(scratch.path.string());
  REQUIRE(opened);
  (*opened)->take({wall_time{}, remark{"hello"}});
  const auto limit = monotonic_now() + std::chrono::seconds(10);
  while (scratch.lines().empty() && monotonic_now() < limit)
    std::this_thread::sleep_for(milliseconds(20));
  CHECK(scratch.lines().size() == 1);
}

TEST_CASE("an event after the end of a trace file is told by the second close", "[pure]") {
  scratch_file scratch;
  auto opened = wire::trace_file::open(scratch.path.string());
  REQUIRE(opened);
  CHECK((*opened)->close());
  (*opened)->take({wall_time{}, remark{"late"}});
  CHECK_FALSE((*opened)->close());
}

TEST_CASE("a trace file that cannot be opened or written is an error", "[pure]") {
  const auto nowhere = wire::trace_file::open("/nonexistent/directory/trace.ndjson");
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().what == "cannot write the trace: No such file or directory");
  CHECK(nowhere.error().context == "/nonexistent/directory/trace.ndjson");

  auto full = wire::trace_file::open("/dev/full");
  REQUIRE(full);
  (*full)->take({wall_time{}, remark{"x"}});
  const auto end = (*full)->close();
  REQUIRE_FALSE(end);
  CHECK(end.error().what == "the trace is not complete: No space left on device");
}
