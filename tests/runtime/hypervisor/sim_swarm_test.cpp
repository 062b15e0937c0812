// Moves under faults at random moments: whatever happens, each stream ends, one copy at most runs
// without having been told to, and a driver that comes back finds what the QEMUs know.
#include "tests/runtime/hypervisor/sim_bench.hpp"

namespace drover::test {

namespace {

using wire::run_state;

constexpr std::uint32_t vms = 6;

class swarm {
public:
  explicit swarm(std::uint64_t seed) : b(wide_settings(), seed), chance_(seed) {
    b.on_change = [this](const std::string&) { look(); };
  }

  void run() {
    for (std::uint32_t i = 0; i < vms; ++i) {
      const vm_id id{100 + i};
      b.machines.set_load(id, {chance_.below(120'000'000), chance_.below(64'000'000)});
      b.put(id, b.source, i == 0 ? run_state::paused : run_state::running);
    }
    b.attach_all();
    for (std::uint32_t i = 0; i < vms; ++i)
      begin(vm_id{100 + i}, chance_.below(3) == 0 ? node_id{"n3"} : b.target);
    const auto faults = 1 + chance_.below(4);
    for (std::uint64_t i = 0; i < faults; ++i) {
      b.run_for(milliseconds{static_cast<std::int64_t>(chance_.below(3000))});
      fault();
    }
    b.run_for(std::chrono::minutes{2});
    for (std::uint32_t i = 0; i < vms; ++i)
      b.at(b.source).set_downtime_limit(vm_id{100 + i}, 60'000, [](const auto&) {});
    b.run_for(std::chrono::minutes{2});
    for (const auto* node : {"n1", "n2", "n3"})
      b.reopen(node_id{node});
    b.attach_all();
    b.run_for(milliseconds{10});
  }

  /// What holds when all is calm.
  void check_calm() {
    for (const auto& one : b.machines.copies()) {
      INFO("VM " << one.vm.value << " on " << one.node.value);
      CHECK(one.state != run_state::other);
      const auto status = b.at(one.node).find(one.vm);
      REQUIRE(status);
      CHECK(status->state == one.state);
      // A stream that came in is loaded, or its receiver is gone.
      if (!one.continuable)
        CHECK(b.open_door(one.vm, one.node, one.number.value));
      else if (one.number > epoch{})
        CHECK(b.at(one.node).stream_outcome(one.vm, one.number));
    }
  }
  const std::vector<std::string>& faults() const { return faults_; }
  std::string violation;

private:
  void begin(vm_id id, const node_id& to) {
    const auto text = b.at(b.source).started_config(id);
    REQUIRE(text);
    b.at(to).receive(id, epoch{7}, *text, [this, id, to](const auto& received) {
      if (!received)
        return;
      b.at(to).open_door(id, epoch{7}, stream_kind::tls, [this, id](const auto& door) {
        if (door)
          b.at(b.source).stream(id, epoch{7}, *door, {}, [](const auto&) {});
      });
    });
  }

  void fault() {
    const vm_id id{static_cast<std::uint32_t>(100 + chance_.below(vms))};
    const auto node = chance_.below(2) == 0 ? b.source : b.target;
    const std::vector<std::pair<std::string, std::function<void()>>> all{
      {"kill", [&] { b.machines.kill(node, id); }},
      {"kill receiver", [&] { b.machines.kill_receiver(id); }},
      {"cut", [&] { b.machines.cut_streams(node); }},
      {"stall",
       [&] {
         const auto ms = static_cast<std::int64_t>(chance_.below(20'000));
         b.machines.stall_streams(node, milliseconds{ms});
       }},
      {"lose", [&] { b.machines.lose_acknowledgement(id); }},
      {"restart",
       [&] {
         b.reopen(node);
         b.at(node).attach([](const auto&) {});
       }},
      {"cancel", [&] { b.at(b.source).cancel_stream(id, epoch{7}, [](const auto&) {}); }},
      {"slow", [&] { b.machines.slow_down(node, 50); }},
      {"refuse", [&] { b.machines.refuse_receive(node, 2, "no"); }},
      {"host",
       [&] {
         b.machines.kill_node(node_id{"n3"});
         b.reopen(node_id{"n3"});
       }},
    };
    const auto& [name, act] = all.at(chance_.below(all.size()));
    faults_.push_back(name);
    act();
  }

  /// Nobody was told to resume: no target runs, and what runs has the newest memory.
  void look() {
    for (const auto& one : b.machines.copies())
      if (one.past_cont && (one.node != b.source || one.memory != b.machines.newest_memory(one.vm)))
        violation = "VM " + to_string(one.vm) + " runs on " + one.node.value;
  }

  sim_bench b;
  luck chance_;
  std::vector<std::string> faults_;
};

} // namespace

TEST_CASE("under faults at random moments every stream ends, and nothing runs unasked") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    swarm one(seed);
    one.run();
    INFO("seed " << seed);
    for (const auto& fault : one.faults())
      UNSCOPED_INFO(fault);
    CHECK(one.violation.empty());
    one.check_calm();
  }
}

} // namespace drover::test
