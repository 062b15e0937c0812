#include "runtime/program/progress.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace std::chrono_literals;

namespace {

trace_event at(milliseconds when, decltype(trace_event::body) body) {
  return {wall_time{when}, std::move(body)};
}

trace_event phase_event(milliseconds when, std::uint32_t vm, const char* to) {
  return at(when, phase_changed{vm_id{vm}, epoch{1}, "x", to});
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
    model.expect(vm_id{vm}, 1024 * 1024);
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
  CHECK(
    model.line(wall_time{1000ms}) == "[################........] 1 moved, 0 moving, 1 waiting, "
                                     "1 stayed, 1.0 MiB left, ETA 0 s at this rate");
}

TEST_CASE(
  "a stream's remaining bytes lower what is left, and an end is counted once", "[progress]") {
  progress_model model;
  model.expect(vm_id{100}, 1000);
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
  progress_view view{memory, progress_style::plain};
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
  progress_view view{memory, progress_style::plain};
  view.expect(vm_id{100}, 1);
  view.expect(vm_id{101}, 1);
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
