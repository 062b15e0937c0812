// What drover's own parts cost each by itself, with Google Benchmark: codec, lock table, handover
// machine, actors. Rule: production code on scripted links, no agent and no QEMU; what whole runs
// cost is told by the other program of this room.
#include "actors/actor_tree.hpp"
#include "actors/locks/lock_table.hpp"
#include "tests/support/scripted_link.hpp"

#include <benchmark/benchmark.h>
#include <caf/scoped_actor.hpp>
#include <deque>
#include <memory>
#include <string>

namespace drover::bench {
namespace {

using namespace std::chrono_literals;
using testing::good_answer;
using testing::make_ticket;
using testing::scripted_link;

const node_id source{"n1"};
const node_id target{"n2"};

// -- codec ---------------------------------------------------------------------------------------

wire::request take_over_request() {
  return {request_id{"c1-7"}, 5s, wire::take_over{make_ticket(105, 7, "n1", "n2")}};
}

wire::reply outcome_reply() {
  return {
    request_id{"c1-6"}, wire::outcome{
                          wire::stream_end::completed,
                          {},
                          wall_time{milliseconds{100}},
                          wall_time{milliseconds{103}},
                          4096}};
}

void encode_take_over(benchmark::State& state) {
  const auto message = take_over_request();
  for (auto _ : state)
    benchmark::DoNotOptimize(wire::encode(message));
}
BENCHMARK(encode_take_over);

void decode_take_over(benchmark::State& state) {
  const auto line = wire::encode(take_over_request());
  for (auto _ : state)
    benchmark::DoNotOptimize(wire::decode_request(line));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
BENCHMARK(decode_take_over);

void encode_outcome(benchmark::State& state) {
  const auto message = outcome_reply();
  for (auto _ : state)
    benchmark::DoNotOptimize(wire::encode(message));
}
BENCHMARK(encode_outcome);

void decode_outcome(benchmark::State& state) {
  const auto line = wire::encode(outcome_reply());
  for (auto _ : state)
    benchmark::DoNotOptimize(wire::decode_from_agent(line));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
BENCHMARK(decode_outcome);

// -- lock table ----------------------------------------------------------------------------------

lock_set prepare_set(std::uint32_t vm) {
  return {
    {vm_lock(vm_id{vm}), 1},
    {cluster_permit(), 1},
    {outbound_permit(source), 1},
    {inbound_permit(target), 1}};
}

/// One migration gives its permits back and the next one of so many that wait has them.
void pass_permits_on(benchmark::State& state) {
  lock_table table;
  benchmark::DoNotOptimize(table.set_capacity(cluster_permit(), 32));
  benchmark::DoNotOptimize(table.set_capacity(outbound_permit(source), 8));
  benchmark::DoNotOptimize(table.set_capacity(inbound_permit(target), 8));
  std::uint64_t next = 1;
  std::deque<lease_id> holders;
  const auto ask = [&] {
    const lease_id id{holder_id{next}, 1};
    const auto vm = static_cast<std::uint32_t>(next++);
    const auto granted = table.acquire(id, lock_priority::prepare, prepare_set(vm));
    holders.insert(holders.end(), granted->begin(), granted->end());
  };
  for (std::int64_t i = 0; i < 8 + state.range(0); ++i)
    ask();
  for (auto _ : state) {
    const auto id = holders.front();
    holders.pop_front();
    for (const auto& granted : table.release(id))
      holders.push_back(granted);
    ask();
  }
}
BENCHMARK(pass_permits_on)->Arg(0)->Arg(100)->Arg(10000);

// -- handover machine ----------------------------------------------------------------------------

migration_order order_of(std::uint32_t vm) {
  return {vm_id{vm}, source, target, policy::ticket, "bench", 1 << 21, 3};
}

/// Feeds one migration with good answers until it ends; how many events it took.
std::int64_t move_one() {
  handover machine{order_of(105)};
  mono_time now{};
  std::int64_t events = 0;
  std::deque<handover::event> ahead{handover::begin{}};
  while (!ahead.empty()) {
    const auto event = std::move(ahead.front());
    ahead.pop_front();
    ++events;
    now += 1ms;
    for (auto& command : machine.handle(event, now))
      if (const auto* permits = std::get_if<handover::take_permits>(&command))
        ahead.push_back(handover::permits_granted{permits->set, 0});
      else if (const auto* asked = std::get_if<handover::send>(&command))
        ahead.push_back(handover::answered{
          asked->what,
          good_answer(
            {request_id{"1"}, asked->deadline, asked->body},
            asked->to == side::source ? source : target),
          asked->attempt});
      else if (std::holds_alternative<handover::write_ahead>(command))
        ahead.push_back(handover::written_ahead{});
  }
  return machine.at() == phase::ended ? events : 0;
}

void handover_events(benchmark::State& state) {
  std::int64_t events = 0;
  for (auto _ : state) {
    const auto of_one = move_one();
    if (of_one == 0)
      state.SkipWithError("the migration did not end");
    events += of_one;
  }
  state.SetItemsProcessed(events);
}
BENCHMARK(handover_events);

// -- actors --------------------------------------------------------------------------------------

class silent_sink final : public trace_sink {
public:
  void take(const trace_event&) override {}
};

struct config : caf::actor_system_config {
  config() { configure_actors(*this); }
};

/// The controller's actors over links that answer at once.
struct controller {
  controller() {
    tree_settings nodes;
    nodes.controller = "bench";
    nodes.id_prefix = "b";
    nodes.around = around;
    for (const auto& node : {source, target})
      nodes.nodes[node] = {
        std::make_shared<scripted_link>(
          node, [node](const wire::request& asked) { return good_answer(asked, node); }),
        8, 8, 2};
    tree = spawn_actor_tree(system, nodes);
  }
  ~controller() {
    for (auto& [node, owner] : tree.owners)
      self->send(owner, leave_node{});
  }
  controller(const controller&) = delete;
  controller& operator=(const controller&) = delete;

  surroundings around{std::make_shared<silent_sink>(), [] { return wall_time{}; }};
  config settings;
  caf::actor_system system{settings};
  caf::scoped_actor self{system};
  actor_tree tree;
};

void actor_round_trip(benchmark::State& state) {
  controller c;
  for (auto _ : state)
    c.self->request(c.tree.locks, 60s, ask_lock_usage{})
      .receive(
        [](const lock_usage& usage) { benchmark::DoNotOptimize(usage.leases); },
        [&state](const caf::error&) { state.SkipWithError("no answer"); });
}
BENCHMARK(actor_round_trip)->UseRealTime();

/// A question through the node's owner, its session, the codec both ways, and back.
void node_round_trip(benchmark::State& state) {
  controller c;
  for (auto _ : state)
    c.self->request(c.tree.owners.at(source), 60s, node_call{wire::uncordon{}, 30s})
      .receive(
        [](const node_answer& answer) { benchmark::DoNotOptimize(answer.link); },
        [&state](const caf::error&) { state.SkipWithError("no answer"); });
}
BENCHMARK(node_round_trip)->UseRealTime();

/// All of the controller's work for so many VMs; items are migrations.
void evacuation_of(benchmark::State& state) {
  controller c;
  const auto vms = static_cast<std::uint32_t>(state.range(0));
  evacuation_order order;
  for (std::uint32_t i = 0; i < vms; ++i)
    order.migrations.push_back(order_of(100 + i));
  for (auto _ : state) {
    const auto job = spawn_evacuation(c.system, {c.tree.locks, c.tree.owners}, c.around);
    c.self->request(job, 60s, run_evacuation{order})
      .receive(
        [&state, vms](const evacuation_report& report) {
          if (report.migrations.size() != vms)
            state.SkipWithError("not all have ended");
        },
        [&state](const caf::error&) { state.SkipWithError("no report"); });
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(vms));
}
BENCHMARK(evacuation_of)->Arg(1)->Arg(100)->Arg(1000)->UseRealTime()->MeasureProcessCPUTime();

} // namespace
} // namespace drover::bench

BENCHMARK_MAIN();
