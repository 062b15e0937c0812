#include "tests/runtime/store/sim_store_rig.hpp"

namespace drover {

using namespace std::chrono_literals;

TEST_CASE("an answer comes after its time, never inside the call, and is reported first") {
  sim_store_rig rig;
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  const auto move = rig.move(0, rig.n1, rig.n2);
  const auto look = rig.look(1);
  CHECK(move->code == "-");
  CHECK(rig.end_of(look) == "ok");
  CHECK(rig.now() == rig.read_time);
  CHECK(rig.seen == rig.n1);
  CHECK(rig.end_of(move) == "ok");
  CHECK(rig.now() == rig.write_time);
  REQUIRE(rig.operations.size() == 2);
  CHECK(rig.operations[0].operation == "read_owner");
  CHECK(rig.operations[1].node == rig.n1);
  CHECK(rig.operations[1].operation == "move_config");
  CHECK(rig.operations[1].vm == rig.vm);
  CHECK(rig.operations[1].begin == event_queue::beginning);
  CHECK(rig.operations[1].end == event_queue::beginning + 1ms);
  CHECK(rig.operations[1].ok);
  CHECK(rig.cluster.writes() == 1);
}

TEST_CASE("a node makes one call after the other, like the real driver") {
  sim_store_rig rig;
  const auto first = rig.barrier(0);
  const auto second = rig.barrier(0);
  const auto elsewhere = rig.barrier(1);
  rig.run_for(1s);
  CHECK(first->at == mono_time{1ms});
  CHECK(second->at == mono_time{2ms});
  CHECK(elsewhere->at == mono_time{1ms});
}

TEST_CASE("a write is seen at once where it was made and a lag later elsewhere") {
  sim_store_rig rig(exactly(100ms));
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n1);
  REQUIRE(rig.end_of(rig.move(0, rig.n1, rig.n2)) == "ok");
  CHECK(rig.cluster.owner(rig.vm) == rig.n2);
  CHECK(rig.cluster.seen_owner(rig.n1, rig.vm) == rig.n2);
  CHECK(rig.cluster.seen_owner(rig.n2, rig.vm) == rig.n1);

  // Its own write is answered when its view has caught up with all that was ordered before it.
  rig.run_for(50ms);
  CHECK(rig.cluster.seen_owner(rig.n2, rig.vm) == rig.n1);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n1);
  CHECK(rig.end_of(rig.write(1, rig.n2)) == "ok");
  CHECK(rig.now() == 101ms);
  CHECK(rig.cluster.seen_owner(rig.n2, rig.vm) == rig.n2);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n2);
  CHECK(rig.cluster.config(rig.vm) == "name: b\n");
}

TEST_CASE("a write that lost in order has shown its node who won") {
  sim_store_rig rig(exactly(10s));
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  const auto winner = rig.move(0, rig.n1, rig.n2);
  REQUIRE(rig.end_of(winner) == "ok");
  CHECK(rig.end_of(rig.move(2, rig.n1, rig.n3)) == "conflict");
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n2);
  CHECK(rig.cluster.owner(rig.vm) == rig.n2);
}

TEST_CASE("a lag that changes touches what is written from then on, and order stays") {
  sim_store_rig rig(exactly(1s));
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  REQUIRE(rig.end_of(rig.move(0, rig.n1, rig.n2)) == "ok");
  rig.cluster.set_lag(rig.n3, {});
  REQUIRE(rig.end_of(rig.move(0, rig.n2, rig.n1)) == "ok");
  // The second is not seen before the first.
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n1);
  rig.run_for(998ms);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n1);
  REQUIRE(rig.end_of(rig.move(0, rig.n1, rig.n2)) == "ok");
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n2);
  CHECK(rig.cluster.seen_owner(rig.n2, rig.vm) == rig.n2);
  rig.run_for(1ms);
  CHECK(rig.cluster.seen_owner(rig.n2, rig.vm) == rig.n1);
  rig.run_for(1s);
  CHECK(rig.cluster.seen_owner(rig.n2, rig.vm) == rig.n2);
}

TEST_CASE("who watches is told of each move at the moment when a view begins to show it") {
  sim_store_rig rig;
  rig.cluster.set_lag(rig.n2, exactly(5ms));
  rig.cluster.set_lag(rig.n3, exactly(20ms));
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  std::vector<std::string> told;
  rig.cluster.on_view_changed = [&](const view_changed& e) {
    told.push_back(e.node.value + " " + e.owner.value + " " + std::to_string(rig.now() / 1ms));
  };
  REQUIRE(rig.end_of(rig.move(0, rig.n1, rig.n2)) == "ok");
  rig.run_for(1s);
  CHECK(told == std::vector<std::string>{"n1 n2 1", "n2 n2 6", "n3 n2 21"});
  told.clear();
  // A write of its own waits for the view and hastens nothing.
  const auto move = rig.move(0, rig.n2, rig.n1);
  rig.run_for(2ms);
  const auto barrier = rig.barrier(2);
  rig.run_for(1s);
  CHECK(told == std::vector<std::string>{"n1 n1 1002", "n2 n1 1007", "n3 n1 1022"});
  CHECK(barrier->at == mono_time{1022ms});
}

TEST_CASE("a closed store owes no answers, and what it was writing goes on") {
  sim_store_rig rig;
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  const auto move = rig.move(0, rig.n1, rig.n2);
  const auto waiting = rig.move(0, rig.n2, rig.n3);
  rig.stores[0].reset();
  rig.run_for(1s);
  CHECK(move->code == "-");
  CHECK(waiting->code == "-");
  CHECK(rig.operations.empty());
  // The second was never begun: it waited in the process that is gone.
  CHECK(rig.cluster.owner(rig.vm) == rig.n2);
  rig.stores[0] = rig.cluster.open(rig.n1, {});
  CHECK(rig.end_of(rig.move(0, rig.n2, rig.n3)) == "ok");
}

TEST_CASE("a store may be closed by its own answer") {
  sim_store_rig rig;
  bool answered = false;
  rig.stores[0]->barrier([&](const auto&) {
    answered = true;
    rig.stores[0].reset();
  });
  const auto never = rig.barrier(0);
  rig.run_for(1s);
  CHECK(answered);
  CHECK(never->code == "-");
}

TEST_CASE("answers outlive the cluster that was closed before its stores") {
  event_queue queue;
  std::unique_ptr<store> port;
  {
    sim_store_cluster cluster(queue, luck{1}, {}, {node_id{"n1"}});
    port = cluster.open(node_id{"n1"}, {});
  }
  std::string code;
  port->barrier([&](auto answer) { code = answer ? "ok" : "error"; });
  while (queue.step()) {
  }
  CHECK(code == "ok");
}

TEST_CASE("the same seed gives the same world, another one another") {
  const auto run = [](std::uint64_t seed) {
    auto settings = sim_store_settings{};
    settings.lag = {0ms, 50ms, 10'000, 2s};
    sim_store_rig rig(settings, seed);
    rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
    std::string trace;
    rig.cluster.on_view_changed = [&](const view_changed& e) {
      trace += e.node.value + e.owner.value + std::to_string(rig.now().count()) + "\n";
    };
    for (std::uint64_t round = 1; round < 50; ++round) {
      const auto from = round % 2 == 0 ? rig.n2 : rig.n1;
      const auto to = round % 2 == 0 ? rig.n1 : rig.n2;
      const auto lost = rig.move(2, from, to);
      const auto won = rig.move(0, from, to);
      const auto record = rig.record(1, round);
      rig.run_for(5ms);
      trace += lost->code + won->code + record->code + "\n";
    }
    rig.run_for(10s);
    return trace;
  };
  const auto first = run(1);
  CHECK(first == run(1));
  CHECK(first != run(2));
}

} // namespace drover
