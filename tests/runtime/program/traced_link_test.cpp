// A link's opening as the trace shows it.
#include "runtime/program/traced_link.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace drover;

namespace {

struct noted : trace_sink {
  std::vector<std::string> states;
  void take(const trace_event& event) override {
    const auto& change = std::get<link_changed>(event.body);
    states.push_back(
      change.node.value + " " + change.state + (change.reason.empty() ? "" : " " + change.reason));
  }
};

struct scripted : link {
  link_events events;
  std::vector<std::string> sent;
  bool is_closed = false;
  void open(link_events tell) override { events = std::move(tell); }
  void send(std::string line) override { sent.push_back(std::move(line)); }
  void close() override { is_closed = true; }
};

} // namespace

TEST_CASE("the trace shows when a link was being opened, and everything passes through") {
  const auto trace = std::make_shared<noted>();
  const auto way = std::make_shared<scripted>();
  traced_link traced{way, node_id{"n1"}, trace};
  std::vector<std::string> heard;
  const link_events listener{
    [&heard] { heard.emplace_back("opened"); },
    [&heard](std::string line) { heard.push_back(std::move(line)); },
    [&heard](const error& why) { heard.push_back(why.what); }};
  traced.open(listener);
  CHECK(trace->states == std::vector<std::string>{"n1 opening"});
  way->events.opened();
  way->events.line("x");
  traced.send("y");
  traced.close();
  way->events.closed(error{errc::lost, "gone", {}});
  CHECK(heard == std::vector<std::string>{"opened", "x", "gone"});
  CHECK(way->sent == std::vector<std::string>{"y"});
  CHECK(way->is_closed);
  // The end of a link that was open is the session's to tell.
  CHECK(trace->states == std::vector<std::string>{"n1 opening", "n1 opened"});
  traced.open(listener);
  way->events.closed(error{errc::refused, "no key", {}});
  REQUIRE(trace->states.size() == 4);
  CHECK_THAT(trace->states.back(), Catch::StartsWith("n1 refused ") && Catch::Contains("no key"));
}
