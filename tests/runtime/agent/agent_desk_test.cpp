// The desk between the lines and the agent: who has the node's seat, and when it is given up.
#include "runtime/agent/agent_desk.hpp"
#include "runtime/wire/codec.hpp"
#include "tests/runtime/agent/agent_rig.hpp"

using namespace drover;
using namespace drover::test;
using namespace std::chrono_literals;

namespace {

/// One seat, as the agents of a node share it.
struct shared_seat {
  int holder = 0; ///< 0 = nobody
  std::set<int> line;
};

class fake_seat : public node_seat {
public:
  fake_seat(shared_seat& shared, int number) : shared_(shared), number_(number) {}
  ~fake_seat() override { stand_up(); }
  bool take() override {
    if (shared_.holder != 0)
      return false;
    shared_.holder = number_;
    leave_line();
    return true;
  }
  void sign(std::string_view) override {}
  std::string holder() const override { return "agent " + std::to_string(shared_.holder); }
  void wait_in_line() override { shared_.line.insert(number_); }
  void leave_line() override { shared_.line.erase(number_); }
  bool is_awaited() const override { return !shared_.line.empty(); }
  void stand_up() {
    if (shared_.holder == number_)
      shared_.holder = 0;
  }

private:
  shared_seat& shared_;
  int number_;
};

/// An agent program of n1.
struct program {
  program(rig& world, shared_seat& shared, int number)
    : seat(shared, number), desk(
                              n1, agent_access::control,
                              {world.clock, seat,
                               [&world](agent::sender send) {
                                 agent_settings settings;
                                 settings.node = n1;
                                 settings.wall_now = [&world] { return world.clock.wall(); };
                                 return std::make_unique<agent>(
                                   settings, world.source.store, world.source.machines,
                                   world.source.marks, world.clock, std::move(send));
                               },
                               [this](const std::string& line) { lines.push_back(line); },
                               [this] {
                                 ended = true;
                                 seat.stand_up();
                               }}) {
    world.source.die();
    desk.start();
  }
  void say(wire::request_body body) {
    desk.take_line(wire::encode(wire::request{
      request_id{"r" + std::to_string(++asked)}, milliseconds{5000}, std::move(body)}));
  }

  fake_seat seat;
  std::vector<std::string> lines;
  int asked = 0;
  bool ended = false;
  agent_desk desk;
};

} // namespace

TEST_CASE("an agent that hears from its controller keeps its seat", "[agent]") {
  rig world;
  shared_seat seat;
  program first(world, seat, 1);
  first.say(wire::hello{});
  for (int i = 0; i < 10; ++i) {
    program second(world, seat, 2);
    world.clock.run_for(5s);
    first.say(wire::ping{});
    second.say(wire::hello{});
    world.clock.run_for(10ms);
    REQUIRE(second.lines.size() == 1);
    CHECK(second.lines[0].find("is served by another agent") != std::string::npos);
  }
  CHECK(seat.holder == 1);
  CHECK_FALSE(first.ended);
}

TEST_CASE("an agent whose controller is silent gives its seat to one that waits", "[agent]") {
  rig world;
  shared_seat seat;
  program first(world, seat, 1);
  first.say(wire::hello{});
  world.clock.run_for(60s);
  CHECK_FALSE(first.ended); // Nobody waits.
  const auto begin = world.clock.now();
  program second(world, seat, 2);
  second.say(wire::hello{});
  CHECK(world.clock.run_until([&] { return !second.lines.empty(); }, 5s));
  CHECK(world.clock.now() - begin < 2s);
  CHECK(first.ended);
  CHECK(seat.holder == 2);
  CHECK(second.lines[0].find("hello_reply") != std::string::npos);
}
