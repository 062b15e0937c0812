#include "runtime/program/progress.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <vector>

using namespace drover;
using namespace std::chrono_literals;

namespace {

trace_event at(milliseconds when, decltype(trace_event::body) body) {
  return {wall_time{when}, std::move(body)};
}

trace_event phase_event(milliseconds when, std::uint32_t vm, const char* to) {
  return at(when, phase_changed{vm_id{vm}, epoch{1}, "x", to});
}

trace_event planned_event(std::uint32_t vm, std::uint64_t bytes, const char* target = "n2") {
  return at(
    0ms, migration_planned{vm_id{vm}, node_id{"n1"}, node_id{target}, policy::ticket, bytes});
}

trace_event ended_event(milliseconds when, std::uint32_t vm, const char* result) {
  migration_ended e;
  e.vm = vm_id{vm};
  e.result = result;
  return at(when, e);
}

} // namespace

TEST_CASE("progress counts every VM in exactly one column", "[progress]") {
  progress_model model;
  for (std::uint32_t vm : {100U, 101U, 102U})
    model.take(planned_event(vm, 1024 * 1024));
  CHECK(model.waiting() == 3);
  CHECK_FALSE(model.eta_s(wall_time{1s}));
  model.take(phase_event(0ms, 100, "beginning"));
  model.take(phase_event(0ms, 101, "beginning"));
  CHECK(model.moving() == 2);
  CHECK(model.waiting() == 1);
  model.take(ended_event(1000ms, 100, "moved"));
  model.take(ended_event(1000ms, 101, "stayed"));
  CHECK(model.moved() == 1);
  CHECK(model.stayed() == 1);
  CHECK(model.moving() == 0);
  CHECK(model.bytes_left() == 1024 * 1024);
  CHECK(*model.eta_s(wall_time{1000ms}) == Approx(0.5));
  const auto rows = model.rows(wall_time{1000ms});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].label == "n2");
  CHECK(rows[0].text == "1 of 3, 1 stayed");
  CHECK(rows[1].label == "all");
  CHECK(
    rows[1].text ==
    "1 of 3, ETA 0 s at 2.0 MiB/s so far, 0 moving, 1 waiting, 1 stayed, 1.0 MiB left");
}

TEST_CASE(
  "a stream's remaining bytes lower what is left, and an end is counted once", "[progress]") {
  progress_model model;
  model.take(planned_event(100, 1000));
  model.take(phase_event(0ms, 100, "streaming"));
  CHECK(model.take(at(10ms, stream_moved{vm_id{100}, epoch{1}, 600, 400, 1000, 1})));
  CHECK(model.bytes_left() == 400);
  CHECK(model.take(ended_event(20ms, 100, "moved")));
  CHECK_FALSE(model.take(ended_event(30ms, 100, "moved")));
  CHECK_FALSE(model.take(phase_event(30ms, 100, "streaming")));
  CHECK_FALSE(model.take(ended_event(30ms, 999, "moved")));
  CHECK(model.moved() == 1);
  CHECK(model.bytes_left() == 0);
}

TEST_CASE("a node that cannot do the channels is told once", "[progress]") {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* memory = open_memstream(&text, &size);
  progress_view view{memory, progress_look{}};
  view.take(at(1ms, stream_narrowed{vm_id{100}, epoch{1}, node_id{"n2"}, 4, 1}));
  view.take(at(2ms, stream_narrowed{vm_id{101}, epoch{1}, node_id{"n2"}, 4, 1}));
  view.take(at(3ms, stream_narrowed{vm_id{102}, epoch{1}, node_id{"n3"}, 4, 2}));
  view.end();
  std::fclose(memory);
  CHECK(
    std::string(text, size) ==
    "n2 cannot do 4 channels: memory goes in one stream (VM 100 and what follows)\n"
    "n3 cannot do 4 channels: memory goes in 2 channels (VM 102 and what follows)\n");
  std::free(text);
}

TEST_CASE("the plain view prints one line for each VM that has ended", "[progress]") {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* memory = open_memstream(&text, &size);
  progress_view view{memory, progress_look{}};
  view.take(planned_event(100, 1));
  view.take(planned_event(101, 1));
  view.take(phase_event(0ms, 100, "streaming"));
  migration_ended moved;
  moved.vm = vm_id{100};
  moved.source = node_id{"n1"};
  moved.target = node_id{"n2"};
  moved.result = "moved";
  moved.pause_s = 0.0021;
  view.take(at(5ms, moved));
  auto stayed = moved;
  stayed.vm = vm_id{101};
  stayed.result = "stayed";
  stayed.reason = "no way";
  stayed.pause_s.reset();
  view.take(at(6ms, stayed));
  view.end();
  std::fclose(memory);
  CHECK(
    std::string(text, size) == "VM 100 n1 -> n2: moved, pause 2.10 ms (1 of 2)\n"
                               "VM 101 n1 -> n2: stayed: no way (2 of 2)\n");
  std::free(text);
}

namespace {

/// What a terminal shows after `text`: the lines that stand, with colour codes left out.
std::vector<std::string> shown_after(const std::string& text) {
  std::vector<std::string> lines{""};
  std::size_t row = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      if (++row == lines.size())
        lines.emplace_back();
    } else if (text[i] == '\r') {
      continue;
    } else if (text[i] == '\x1b') {
      const auto end = text.find_first_of("AJKm", i);
      const auto count = std::strtoul(text.c_str() + i + 2, nullptr, 10);
      if (text[end] == 'A') {
        REQUIRE(row >= count);
        row -= count;
        lines[row].clear();
      } else if (text[end] == 'J') {
        lines.resize(row + 1);
        lines[row].clear();
      }
      i = end;
    } else {
      if (i == 0 || text[i - 1] == '\n')
        lines[row].clear();
      lines[row] += text[i];
    }
  }
  return lines;
}

/// A run on a terminal: two VMs to n2, one to n3 that stays.
std::string drawn_run(progress_look look) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* memory = open_memstream(&text, &size);
  progress_view view{memory, look};
  view.take(planned_event(100, 1 << 20));
  view.take(planned_event(101, 1 << 20));
  view.take(planned_event(102, 1 << 20, "n3"));
  view.take(phase_event(0ms, 100, "streaming"));
  view.take(phase_event(200ms, 102, "receiving"));
  view.take(ended_event(400ms, 100, "moved"));
  auto stayed = std::get<migration_ended>(ended_event(600ms, 102, "stayed").body);
  stayed.source = node_id{"n1"};
  stayed.target = node_id{"n3"};
  stayed.reason = "no room";
  view.take(at(600ms, stayed));
  std::fclose(memory);
  std::string result{text, size};
  std::free(text);
  return result;
}

} // namespace

TEST_CASE("a terminal shows a bar for each target, the sum and every reason", "[progress]") {
  const auto text = drawn_run({progress_style::terminal, colour_use::none, 120});
  const auto lines = shown_after(text);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "VM 102 n1 -> n3: stayed: no room (2 of 3)");
  CHECK(lines[1] == "n2  [############............] 1 of 2");
  CHECK(lines[2] == "n3  [!!!!!!!!!!!!!!!!!!!!!!!!] 0 of 1, 1 stayed");
  CHECK(
    lines[3] == "all [########!!!!!!!!........] 1 of 3, ETA 0 s at 3.3 MiB/s so far, 0 moving, "
                "1 waiting, 1 stayed, 1.0 MiB left");
  CHECK(lines[4].empty());
}

TEST_CASE(
  "colours come only where they may, and nothing is cleared before it is drawn", "[progress]") {
  const auto plain = drawn_run({progress_style::terminal, colour_use::none, 120});
  const auto coloured = drawn_run({progress_style::terminal, colour_use::some, 120});
  for (const auto* colour : {"\x1b[31m", "\x1b[32m", "\x1b[0m"})
    CHECK(plain.find(colour) == std::string::npos);
  CHECK(coloured.find("\x1b[32m") != std::string::npos);
  CHECK(coloured.find("\x1b[31mVM 102") != std::string::npos);
  CHECK(shown_after(plain) == shown_after(coloured));
  for (const auto& text : {plain, coloured}) {
    CHECK(text.find("\x1b[2J") == std::string::npos); // The whole screen: that flickers.
    CHECK(text.find("\x1b[2K") == std::string::npos);
  }
  const auto piped = drawn_run({progress_style::plain, colour_use::none, 80});
  CHECK(piped.find('\x1b') == std::string::npos);
}

TEST_CASE("no line is wider than the terminal", "[progress]") {
  for (const std::uint32_t columns : {20U, 40U, 80U, 200U}) {
    const auto lines =
      shown_after(drawn_run({progress_style::terminal, colour_use::some, columns}));
    for (std::size_t i = 1; i < lines.size(); ++i) {
      INFO(columns << ": " << lines[i]);
      CHECK(lines[i].size() <= std::max(columns - 1, 31U)); // A bar and its name always stand.
    }
  }
}

TEST_CASE("what is asked of a file is plain, whatever the environment says", "[progress]") {
  std::FILE* file = std::tmpfile();
  const auto look = progress_look_of(file);
  CHECK(look.style == progress_style::plain);
  CHECK(look.colours == colour_use::none);
  std::fclose(file);
}
