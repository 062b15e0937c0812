// The controller dies at any moment of an evacuation, agents with it, and sometimes the recovery
// after it: the next recovery brings every VM to one running copy at its owner. Method: the
// production code in virtual time, from a seed.
#include "runtime/base/luck.hpp"
#include "runtime/sim/invariants.hpp"
#include "runtime/sim/sim_world.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>

using namespace drover;
using namespace std::chrono_literals;

namespace {

const node_id n1{"n1"};
constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint32_t first_vm = 100;

milliseconds up_to_ms(luck& chance, std::uint64_t most) {
  return milliseconds{static_cast<milliseconds::rep>(chance.below(most))};
}

class event_count final : public trace_sink {
public:
  explicit event_count(invariants*& watch) : watch_(watch) {}
  void take(const trace_event& event) override {
    ++count;
    if (watch_ != nullptr)
      watch_->take(event);
  }
  std::uint64_t count = 0;

private:
  invariants*& watch_;
};

sim_world_settings settings_of(std::uint64_t seed, luck& chance) {
  sim_world_settings s;
  s.seed = seed;
  s.cluster.name = "sim";
  for (const auto* name : {"n1", "n2", "n3"}) {
    cluster_node node;
    node.node = node_id{name};
    node.run_dir = std::string{"/simulated/"} + name;
    node.memory_bytes = 64 * 1024 * mib;
    s.cluster.nodes[node.node] = node;
  }
  s.store.lag = {nanoseconds{0}, up_to_ms(chance, 80), 0, {}};
  s.machines.bandwidth_bytes_per_s = (20 + chance.below(400)) * 1'000'000;
  return s;
}

/// One life and death, and what comes after.
class killed_run {
public:
  explicit killed_run(std::uint64_t seed)
    : chance_(luck{seed}.fork("kill")), events_(std::make_shared<event_count>(watch_)),
      world_(settings_of(seed, chance_), events_),
      checker_({world_.queue(), world_.store(), world_.machines(), world_.cluster()}) {
    watch_ = &checker_;
    world_.on_machine_change = [this](const machine_changed& e) { checker_.on_change(e); };
    vms_ = 2 + static_cast<std::uint32_t>(chance_.below(7));
    for (std::uint32_t i = 0; i < vms_; ++i)
      put(vm_id{first_vm + i});
  }
  ~killed_run() { watch_ = nullptr; }

  /// What is wrong; empty = nothing.
  std::string play() {
    world_.start_controller();
    for (std::uint32_t i = 0; i < vms_; ++i)
      checker_.expect_move(vm_id{first_vm + i});
    const auto how = all_policies[chance_.below(all_policies.size())];
    bool over = false;
    world_.tell(operate{{n1, {}, how, {}}, n1, [&over](const run_result&) { over = true; }});
    const auto death = 1 + chance_.below(std::uint64_t{45} * vms_);
    run_until([&] { return over || events_->count >= death; }, 600s);
    kill_everything();
    for (int again = 0; again < 2 && chance_.below(4) == 0; ++again) {
      begin_recovery();
      run_steps(chance_.below(4000));
      kill_everything();
    }
    begin_recovery();
    if (!run_until([this] { return report_.has_value(); }, 600s))
      return "the recovery does not end, killed at event " + std::to_string(death);
    return judged(how, death);
  }

private:
  void put(vm_id vm) {
    const auto memory_mib = 16 + chance_.below(64);
    const auto text = "name: vm-" + to_string(vm) + "\nmemory: " + std::to_string(memory_mib) +
                      "\ncores: 1\nmachine: pc-i440fx-7.2\n";
    const bool paused = chance_.below(8) == 0;
    world_.store().put_config(vm, n1, text);
    world_.machines().set_load(vm, {chance_.below(40) * mib / 10, 256 * 1024});
    world_.machines().put_machine(
      n1, vm, text, paused ? wire::run_state::paused : wire::run_state::running);
    checker_.expect_vm(vm, n1, paused);
  }

  template <class Condition>
  bool run_until(Condition reached, nanoseconds at_most) {
    const auto until = world_.queue().now() + at_most;
    while (!reached()) {
      if (world_.queue().now() >= until || !world_.step())
        return reached();
    }
    return true;
  }

  void run_steps(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count && !report_; ++i)
      if (!world_.step())
        return;
  }

  /// The controller, and the agents of some nodes.
  void kill_everything() {
    run_steps(chance_.below(40));
    report_.reset();
    ++generation_;
    world_.kill_controller();
    checker_.controller_restarted();
    for (const auto& [node, of] : world_.cluster().nodes)
      if (chance_.below(2) == 0)
        world_.host(node).kill_agents();
    const auto rest = chance_.below(3) == 0 ? up_to_ms(chance_, 30'000) : milliseconds{0};
    run_until([] { return false; }, rest);
  }

  void begin_recovery() {
    world_.start_controller();
    world_.tell(recover_all{{}, [this, mine = generation_](recovery_report r) {
                              if (mine == generation_)
                                report_ = std::move(r);
                            }});
  }

  std::string judged(policy how, std::uint64_t death) {
    std::string wrong;
    const auto say = [&wrong](const std::string& what) { wrong += "\n  " + what; };
    if (exit_code(*report_) != 0)
      say("exit code " + std::to_string(exit_code(*report_)));
    for (const auto& one : report_->last)
      if (one.row->verdict != recovery_verdict::nothing)
        say("VM " + to_string(one.vm) + ": " + one.reason());
    for (const auto& [node, why] : report_->silent)
      say(node.value + ": " + why);
    // Right after it, without the agents' own time to look again.
    if (!checker_.is_settled())
      say("not settled right after the recovery");
    report_.reset();
    begin_recovery();
    if (!run_until([this] { return report_.has_value(); }, 600s) || !report_->actions.empty())
      say("a second recovery finds something to do");
    checker_.check_at_the_end({});
    for (const auto& v : checker_.found())
      say(to_string(v));
    if (!wrong.empty())
      wrong = "under " + std::string{to_string(how)} + ", " + std::to_string(vms_) +
              " VMs, killed at event " + std::to_string(death) + wrong;
    return wrong;
  }

  luck chance_;
  invariants* watch_ = nullptr;
  std::shared_ptr<event_count> events_;
  sim_world world_;
  invariants checker_;
  std::uint32_t vms_ = 0;
  int generation_ = 0;
  std::optional<recovery_report> report_;
};

void require_seeds(std::uint64_t first, std::uint64_t last) {
  int bad = 0;
  for (auto seed = first; seed <= last && bad < 5; ++seed)
    if (const auto wrong = killed_run{seed}.play(); !wrong.empty()) {
      ++bad;
      UNSCOPED_INFO("seed " << seed << ": " << wrong);
    }
  CHECK(bad == 0);
}

} // namespace

TEST_CASE("a recovery after the death of controller and agents, 300 seeds", "[sim]") {
  require_seeds(1, 300);
}

// build/tests/runtime/sim/recovery_sim_test "[campaign]"
TEST_CASE("a recovery after the death of controller and agents, 20000 seeds", "[.][campaign]") {
  require_seeds(1, 20'000);
}
