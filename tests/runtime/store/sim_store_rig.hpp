// A simulated cluster of three nodes in which every call takes exactly so long: what the tests of
// the simulated store's faults stand on.
#pragma once

#include "runtime/store/sim_store.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

namespace drover {

/// How one call ended: a code, "ok", or "-" as long as it has not; and when.
struct sim_answer {
  std::string code = "-";
  mono_time at{};
};

struct sim_store_rig {
  static constexpr std::chrono::microseconds read_time{100};
  static constexpr std::chrono::milliseconds write_time{1};

  static sim_store_settings timed(const delay_range& lag) {
    sim_store_settings settings;
    settings.read = exactly(read_time);
    settings.write = exactly(write_time);
    settings.lag = lag;
    return settings;
  }

  explicit sim_store_rig(const delay_range& lag = {}) : sim_store_rig(timed(lag)) {}
  explicit sim_store_rig(const sim_store_settings& settings, std::uint64_t seed = 1)
    : cluster(queue, luck{seed}, settings, {n1, n2, n3}) {
    for (const auto& node : {n1, n2, n3})
      stores.push_back(cluster.open(
        node, [this](const store_operation& operation) { operations.push_back(operation); }));
  }

  template <class T>
  callback<T> into(const std::shared_ptr<sim_answer>& end, T* value = nullptr) {
    return [this, end, value](result<T> outcome) {
      REQUIRE(end->code == "-"); // each call is answered once
      end->code = outcome ? "ok" : std::string(to_string(outcome.error().code));
      end->at = queue.now();
      if (outcome && value != nullptr)
        *value = std::move(*outcome);
    };
  }

  // Calls that are begun and not waited for.
  std::shared_ptr<sim_answer> move(std::size_t node, const node_id& from, const node_id& to) {
    auto end = std::make_shared<sim_answer>();
    stores.at(node)->move_config(vm, from, to, into<done>(end));
    return end;
  }
  std::shared_ptr<sim_answer> write(std::size_t node, const node_id& owner) {
    auto end = std::make_shared<sim_answer>();
    stores.at(node)->write_config(vm, owner, {cluster.config(vm), "name: b\n"}, into<done>(end));
    return end;
  }
  std::shared_ptr<sim_answer> record(std::size_t node, std::uint64_t number) {
    auto end = std::make_shared<sim_answer>();
    stores.at(node)->write_record(
      {vm, epoch{number}, record_state::moving, n1, n2, policy::ticket, "c",
       source_outcome::unpublished},
      into<done>(end));
    return end;
  }
  std::shared_ptr<sim_answer> barrier(std::size_t node) {
    auto end = std::make_shared<sim_answer>();
    stores.at(node)->barrier(into<done>(end));
    return end;
  }
  std::shared_ptr<sim_answer> take(std::size_t node, const std::string& holder) {
    auto end = std::make_shared<sim_answer>();
    stores.at(node)->take_lock("lease", holder, into<done>(end));
    return end;
  }
  std::shared_ptr<sim_answer> look(std::size_t node) {
    auto end = std::make_shared<sim_answer>();
    stores.at(node)->read_owner(vm, into<std::optional<node_id>>(end, &seen));
    return end;
  }

  void run_for(nanoseconds span) {
    const auto until = queue.now() + span;
    while (queue.next() && *queue.next() <= until)
      queue.step();
    queue.advance_to(until);
  }
  /// Runs until the call is answered.
  std::string end_of(const std::shared_ptr<sim_answer>& call) {
    while (call->code == "-" && queue.step()) {
    }
    return call->code;
  }
  nanoseconds now() const { return queue.now().time_since_epoch(); }

  const vm_id vm{100};
  const node_id n1{"n1"};
  const node_id n2{"n2"};
  const node_id n3{"n3"};
  event_queue queue;
  sim_store_cluster cluster;
  std::vector<store_operation> operations;
  std::vector<std::unique_ptr<store>> stores;
  std::optional<node_id> seen;
};

} // namespace drover
