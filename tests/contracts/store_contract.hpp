// The store port's contract as checks that every driver must pass. Rule: nothing here assumes more
// than runtime/store/store.hpp promises; what another node wrote is looked for behind a barrier.
//
// A driver's test makes a cluster of its own kind and calls check_store_contract in a TEST_CASE;
// each SECTION gets a fresh cluster.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/store/store.hpp"

#include <catch2/catch.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace drover::contracts {

/// Some nodes' stores that share one cluster.
class store_cluster {
public:
  virtual ~store_cluster() = default;
  virtual store& at(std::size_t node) = 0;
  virtual node_id name(std::size_t node) const = 0;
  /// Runs the answers that are there; waits a little for one when there is none.
  virtual void step() = 0;
  virtual mono_time now() const = 0;
};

/// A cluster of `nodes` nodes in which a lock lives `lock_expiry`.
using cluster_maker =
  std::function<std::unique_ptr<store_cluster>(std::size_t nodes, milliseconds lock_expiry)>;

void check_store_contract(const cluster_maker& make);

// -- for the checks ------------------------------------------------------------------------------

/// No call of a healthy cluster takes longer; a check fails then, it does not hang.
inline constexpr std::chrono::seconds longest_wait{30};

/// Steps until `arrived`.
template <class Condition>
void wait_for(store_cluster& cluster, Condition arrived) {
  const auto give_up = cluster.now() + longest_wait;
  while (!arrived()) {
    if (cluster.now() > give_up)
      FAIL("a store gave no answer");
    cluster.step();
  }
}

/// Makes one call and waits for its answer.
template <class T>
result<T> ask(store_cluster& cluster, const std::function<void(callback<T>)>& call) {
  // Shared, because an answer that comes after the wait was given up still writes it.
  const auto answer = std::make_shared<std::optional<result<T>>>();
  call([answer](result<T> given) { *answer = std::move(given); });
  REQUIRE_FALSE(answer->has_value()); // never inside the call
  wait_for(cluster, [&] { return answer->has_value(); });
  return std::move(**answer);
}

/// "ok", or the error's code: what most checks compare.
template <class T>
std::string code_of(const result<T>& answer) {
  return answer ? "ok" : std::string(to_string(answer.error().code));
}

/// The calls of one node's store, each waited for.
class node_calls {
public:
  node_calls(store_cluster& cluster, std::size_t node) : cluster_(cluster), node_(node) {}

  node_id name() const { return cluster_.name(node_); }
  std::map<vm_id, node_id> places();
  std::optional<node_id> owner(vm_id vm);
  result<std::string> config(vm_id vm, std::size_t node);
  std::string create(vm_id vm, std::size_t node, const std::string& text);
  /// Over whatever the node's view shows.
  std::string write(vm_id vm, std::size_t node, const std::string& text);
  std::string edit(vm_id vm, std::size_t node, const config_edit& made);
  std::string remove(vm_id vm, std::size_t node);
  std::string move(vm_id vm, std::size_t from, std::size_t to);
  std::optional<handover_record> record(vm_id vm);
  std::map<vm_id, handover_record> records();
  std::string write(const handover_record& record);
  std::string barrier();
  vm_view view(vm_id vm);
  vm_view view_behind_barrier(vm_id vm);
  result<done> take(const std::string& lock, const std::string& holder);
  std::string drop(const std::string& lock, const std::string& holder);
  std::vector<store_lock> locks(const std::string& prefix);

private:
  store& port() { return cluster_.at(node_); }

  store_cluster& cluster_;
  std::size_t node_;
};

/// Lets all nodes ask at the same time, and counts the answers by their code.
std::map<std::string, int> ask_at_once(
  store_cluster& cluster, std::size_t nodes,
  const std::function<void(store&, std::size_t node, callback<done>)>& call);

void check_places(const cluster_maker& make);
void check_configs(const cluster_maker& make);
void check_records(const cluster_maker& make);
void check_locks(const cluster_maker& make);
void check_lock_expiry(const cluster_maker& make);
void check_order(const cluster_maker& make);
/// While a VM moves, somebody who looks always finds it in exactly one place, whole.
void check_looks_while_moving(const cluster_maker& make);
void check_races(const cluster_maker& make);

} // namespace drover::contracts
