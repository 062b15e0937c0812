#include "runtime/program/trace_relay.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <thread>
#include <utility>
#include <vector>

using namespace drover;

namespace {

/// Stands still until it is let go; gives up after a while, so that a relay that waits for it is
/// found and not waited for.
struct still_sink final : trace_sink {
  void take(const trace_event& event) override {
    gave_up = gave_up || go.wait_for(std::chrono::seconds{20}) == std::future_status::timeout;
    vms.push_back(std::get<node_listed>(event.body).vms);
    by_thread = std::this_thread::get_id();
  }
  explicit still_sink(std::shared_future<void> g) : go(std::move(g)) {}
  std::shared_future<void> go;
  bool gave_up = false;
  std::vector<std::uint32_t> vms;
  std::thread::id by_thread;
};

trace_event numbered(std::uint32_t number) { return {{}, node_listed{node_id{"a"}, number}}; }

} // namespace

TEST_CASE("a relay hands every event on, in order, and not on the reporter's time", "[pure]") {
  std::promise<void> go;
  auto still = std::make_shared<still_sink>(go.get_future().share());
  trace_relay relay;
  relay.add(still);
  for (std::uint32_t i = 0; i < 300; ++i)
    relay.take(numbered(i)); // Returns, although the sink does not.
  go.set_value();
  relay.close();
  CHECK_FALSE(still->gave_up);
  REQUIRE(still->vms.size() == 300);
  for (std::uint32_t i = 0; i < 300; ++i)
    CHECK(still->vms[i] == i);
  CHECK(still->by_thread != std::this_thread::get_id());
  relay.close();
}

TEST_CASE("a relay loses nothing of what several threads report until it is closed", "[pure]") {
  struct counter final : trace_sink {
    void take(const trace_event&) override { ++events; }
    int events = 0;
  };
  auto counted = std::make_shared<counter>();
  {
    trace_relay relay;
    relay.add(counted);
    std::vector<std::jthread> reporters;
    for (int thread = 0; thread < 4; ++thread)
      reporters.emplace_back([&relay] {
        for (std::uint32_t i = 0; i < 5000; ++i)
          relay.take(numbered(i));
      });
    reporters.clear();
  }
  CHECK(counted->events == 4 * 5000);
}
