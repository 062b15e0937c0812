// What was measured on a real pmxcfs beyond its contract, done to the simulated one.
#include "tests/runtime/store/sim_store_rig.hpp"

#include "runtime/base/error.hpp"

#include <map>

namespace drover {

using namespace std::chrono_literals;

TEST_CASE("when a member dies all calls hang, those under way and those that begin") {
  sim_store_rig rig;
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  const auto write = rig.move(0, rig.n1, rig.n2);
  rig.run_for(400us);
  rig.cluster.hang(8s);
  const auto read = rig.look(1);
  const auto later = rig.barrier(2);
  rig.run_for(7999ms);
  CHECK(write->code == "-");
  CHECK(read->code == "-");
  CHECK(rig.cluster.owner(rig.vm) == rig.n1);
  rig.run_for(10ms);
  CHECK(write->code == "ok");
  // What was left of its time when the hang began.
  CHECK(write->at == mono_time{400us + 8s + 600us});
  CHECK(read->at == mono_time{400us + 8s + 100us});
  CHECK(later->at == mono_time{400us + 8s + 1ms});
  CHECK(rig.cluster.owner(rig.vm) == rig.n2);
}

TEST_CASE("a call that hangs too long is answered timeout, and is carried out all the same") {
  sim_store_rig rig;
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  const auto made = rig.move(0, rig.n1, rig.n2);
  const auto queued = rig.move(0, rig.n2, rig.n3);
  rig.cluster.hang(8s);
  rig.run_for(5s);
  rig.cluster.hang(8s);
  const auto late = rig.look(1);
  rig.run_for(4999ms);
  CHECK(made->code == "-");
  rig.run_for(1ms);
  CHECK(made->code == "timeout");
  CHECK(queued->code == "timeout");
  CHECK(late->code == "-");
  REQUIRE(rig.operations.size() == 2);
  CHECK_FALSE(rig.operations[0].ok);
  rig.run_for(10s);
  CHECK(late->code == "ok");
  // Its turn came after its deadline, so it was never begun.
  CHECK(rig.cluster.owner(rig.vm) == rig.n2);
  CHECK(rig.operations.size() == 3);
}

TEST_CASE("no call waits for ever behind others, however long the hang") {
  sim_store_rig rig;
  rig.cluster.hang(60s);
  std::vector<std::shared_ptr<sim_answer>> calls;
  for (int call = 0; call < 20; ++call) {
    calls.push_back(rig.barrier(0));
    calls.push_back(rig.look(0));
    rig.run_for(1s);
  }
  rig.run_for(10s);
  for (const auto& call : calls)
    CHECK(call->code == "timeout");
  rig.run_for(40s);
  CHECK(rig.end_of(rig.barrier(0)) == "ok");
}

TEST_CASE("without a quorum writes, locks and barriers are refused at once and reads go on") {
  sim_store_rig rig;
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  const auto under_way = rig.move(0, rig.n1, rig.n2);
  rig.run_for(500us);
  rig.cluster.set_quorum_lost(rig.n1, 5s);
  // Nobody says what became of it.
  CHECK(is_unknown(*errc_from_string(rig.end_of(under_way))));
  const auto since = rig.queue.now();
  for (const auto& call :
       {rig.move(0, rig.n1, rig.n2), rig.barrier(0), rig.take(0, "x"), rig.record(0, 1)}) {
    CHECK(rig.end_of(call) == "refused");
    CHECK(call->at - since < rig.write_time);
  }
  CHECK(rig.end_of(rig.look(0)) == "ok");
  CHECK(rig.seen == rig.n1);
  CHECK(rig.cluster.writes() == 0);
  // The others have theirs.
  CHECK(rig.end_of(rig.barrier(1)) == "ok");
  rig.run_for(5s);
  CHECK(rig.end_of(rig.move(0, rig.n1, rig.n2)) == "ok");
}

TEST_CASE("while the membership changes every write ends in an error, and some come later") {
  sim_store_rig rig;
  for (std::uint32_t i = 0; i < 100; ++i)
    rig.cluster.put_config(vm_id{1000 + i}, rig.n1, "name: a\n");
  rig.cluster.change_membership(2s, 400'000);
  std::map<std::string, int> codes;
  for (std::uint32_t i = 0; i < 100; ++i)
    rig.stores[0]->move_config(vm_id{1000 + i}, rig.n1, rig.n2, [&](const auto& answer) {
      ++codes[answer ? "ok" : std::string(to_string(answer.error().code))];
    });
  rig.run_for(150ms);
  CHECK(codes["lost"] + codes["timeout"] == 100);
  CHECK(codes["lost"] > 0);
  CHECK(codes["timeout"] > 0);
  const auto moved = [&] {
    int count = 0;
    for (const auto& [vm, owner] : rig.cluster.places())
      count += owner == rig.n2 ? 1 : 0;
    return count;
  };
  const auto early = moved();
  rig.run_for(2s);
  CHECK(moved() > early);
  CHECK(moved() > 20);
  CHECK(moved() < 60);
  CHECK(rig.end_of(rig.barrier(0)) == "ok");
}

TEST_CASE("a node that is cut off keeps its view, writes nothing, and sees the rest when healed") {
  sim_store_rig rig;
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  rig.cluster.cut_off(rig.n2);
  REQUIRE(rig.end_of(rig.move(0, rig.n1, rig.n3)) == "ok");
  REQUIRE(rig.end_of(rig.record(0, 3)) == "ok");
  rig.run_for(10s);
  CHECK(rig.end_of(rig.barrier(1)) == "refused");
  CHECK(rig.end_of(rig.look(1)) == "ok");
  CHECK(rig.seen == rig.n1);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n3);
  std::vector<node_id> told;
  rig.cluster.on_view_changed = [&](const view_changed& e) { told.push_back(e.node); };
  rig.cluster.heal(rig.n2, heal_outcome::kept);
  rig.run_for(1ms);
  CHECK(told == std::vector<node_id>{rig.n2});
  CHECK(rig.cluster.seen_owner(rig.n2, rig.vm) == rig.n3);
  CHECK(rig.end_of(rig.barrier(1)) == "ok");
  CHECK(rig.cluster.record(rig.vm)->number == epoch{3});
}

TEST_CASE("what reached a node before it was cut off is still seen there, a lag later") {
  sim_store_rig rig(exactly(1s));
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  REQUIRE(rig.end_of(rig.move(0, rig.n1, rig.n2)) == "ok");
  rig.cluster.cut_off(rig.n3);
  REQUIRE(rig.end_of(rig.move(0, rig.n2, rig.n1)) == "ok");
  rig.run_for(5s);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n2);
  rig.cluster.heal(rig.n3, heal_outcome::kept);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n2);
  rig.run_for(1s);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n1);
}

TEST_CASE("a partition that heals can undo what was acknowledged, everywhere") {
  sim_store_rig rig(exactly(10ms));
  const vm_id born{200};
  const vm_id dead{300};
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  rig.cluster.put_config(dead, rig.n1, "name: dead\n");
  REQUIRE(rig.end_of(rig.record(0, 3)) == "ok");
  REQUIRE(rig.end_of(rig.take(0, "x")) == "ok");
  rig.run_for(1s);
  rig.cluster.cut_off(rig.n2);
  REQUIRE(rig.end_of(rig.record(0, 4)) == "ok");
  REQUIRE(rig.end_of(rig.write(0, rig.n1)) == "ok");
  REQUIRE(rig.end_of(rig.move(0, rig.n1, rig.n3)) == "ok");
  auto end = std::make_shared<sim_answer>();
  rig.stores[0]->create_config(born, rig.n1, "name: born\n", rig.into<done>(end));
  REQUIRE(rig.end_of(end) == "ok");
  end = std::make_shared<sim_answer>();
  rig.stores[0]->remove_config(dead, rig.n1, rig.into<done>(end));
  REQUIRE(rig.end_of(end) == "ok");
  end = std::make_shared<sim_answer>();
  rig.stores[0]->drop_lock("lease", "x", rig.into<done>(end));
  REQUIRE(rig.end_of(end) == "ok");
  rig.run_for(1s);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n3);

  std::map<node_id, int> told;
  rig.cluster.on_view_changed = [&](const view_changed& e) { ++told[e.node]; };
  rig.cluster.heal(rig.n2, heal_outcome::rolled_back);
  CHECK(rig.cluster.owner(rig.vm) == rig.n1);
  CHECK(rig.cluster.config(rig.vm) == "name: a\n");
  CHECK(rig.cluster.record(rig.vm)->number == epoch{3});
  CHECK(rig.cluster.owner(born) == std::nullopt);
  CHECK(rig.cluster.config(dead) == "name: dead\n");
  CHECK(rig.cluster.locks() == std::vector<store_lock>{{"lease", "x"}});
  // Its own view never moved; the others see it go back.
  CHECK(rig.cluster.seen_owner(rig.n2, rig.vm) == rig.n1);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n3);
  rig.run_for(10ms);
  CHECK(rig.cluster.seen_owner(rig.n3, rig.vm) == rig.n1);
  CHECK(told == std::map<node_id, int>{{rig.n1, 1}, {rig.n3, 1}});
  CHECK(rig.end_of(rig.move(1, rig.n1, rig.n2)) == "ok");
}

TEST_CASE("anybody may remove a lock, and it is nobody's then") {
  sim_store_rig rig;
  REQUIRE(rig.end_of(rig.take(0, "x")) == "ok");
  CHECK(rig.end_of(rig.take(1, "y")) == "conflict");
  rig.cluster.remove_lock("lease");
  rig.cluster.remove_lock("another");
  CHECK(rig.cluster.locks().empty());
  CHECK(rig.end_of(rig.take(1, "y")) == "ok");
  CHECK(rig.end_of(rig.take(0, "x")) == "conflict");
  rig.cluster.remove_lock("lease", "stranger");
  CHECK(rig.end_of(rig.take(1, "y")) == "conflict");
}

TEST_CASE("a full disk fails so many writes of one node") {
  sim_store_rig rig;
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  rig.cluster.fail_writes(rig.n1, 2);
  CHECK(rig.end_of(rig.write(0, rig.n1)) == "retry");
  CHECK(rig.end_of(rig.look(0)) == "ok");
  CHECK(rig.end_of(rig.write(1, rig.n1)) == "ok");
  CHECK(rig.end_of(rig.barrier(0)) == "retry");
  CHECK(rig.end_of(rig.write(0, rig.n1)) == "ok");
  CHECK(rig.cluster.writes() == 2);
}

TEST_CASE("a lock expires by the clock of whoever asks, which begins when he saw it renewed") {
  auto settings = sim_store_rig::timed({});
  settings.lock_expiry = 10s;
  sim_store_rig rig(settings);
  rig.cluster.set_lag(rig.n3, exactly(4s));
  REQUIRE(rig.end_of(rig.take(0, "x")) == "ok");
  const auto locks_seen_by = [&](std::size_t node) {
    std::vector<store_lock> locks;
    const auto end = std::make_shared<sim_answer>();
    rig.stores.at(node)->read_locks("", rig.into<std::vector<store_lock>>(end, &locks));
    REQUIRE(rig.end_of(end) == "ok");
    return locks.size();
  };
  rig.run_for(9s);
  CHECK(locks_seen_by(1) == 1);
  rig.run_for(2s);
  CHECK(locks_seen_by(1) == 0);
  CHECK(locks_seen_by(2) == 1);
  CHECK(rig.cluster.locks().empty());
  // The holder may still renew what nobody has taken.
  CHECK(rig.end_of(rig.take(2, "z")) == "conflict");
  CHECK(rig.end_of(rig.take(0, "x")) == "ok");
  CHECK(locks_seen_by(1) == 1);
  rig.run_for(11s);
  // Asking for an expired lock frees it; who asks next has it.
  CHECK(rig.end_of(rig.take(1, "y")) == "conflict");
  CHECK(rig.end_of(rig.take(1, "y")) == "ok");
  CHECK(rig.cluster.locks() == std::vector<store_lock>{{"lease", "y"}});
}

TEST_CASE("a call that is slow for itself is timed out too") {
  auto settings = sim_store_rig::timed({});
  settings.write = exactly(15s);
  sim_store_rig rig(settings);
  rig.cluster.put_config(rig.vm, rig.n1, "name: a\n");
  const auto move = rig.move(0, rig.n1, rig.n2);
  const auto waiting = rig.look(0);
  CHECK(rig.end_of(move) == "timeout");
  CHECK(move->at == mono_time{10s});
  CHECK(rig.end_of(waiting) == "timeout");
  rig.run_for(20s);
  CHECK(rig.cluster.owner(rig.vm) == rig.n2);
}

} // namespace drover
