// The replicated store in memory: one ordered log, and one view per node that may lag behind it.
// Rule: keeps the port's contract (own writes are visible at once and bring everything before them)
// and nothing better; every call is written down, so that a test can say what must not happen.
#pragma once

#include "runtime/store/store.hpp"
#include "tests/support/fake_timers.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace drover::test {

/// What a call on any fake left behind: when, which node, what.
struct fake_call {
  mono_time at;
  std::string node;
  std::string what;
  vm_id vm;
};

/// How often the fakes answer: soon, but never inside the call.
inline constexpr nanoseconds fake_latency = std::chrono::microseconds{100};

class fake_cluster {
public:
  struct content {
    std::map<vm_id, std::pair<node_id, std::string>> configs;
    std::map<vm_id, handover_record> records;
    std::map<std::string, std::string> locks;
    std::string membership;
  };
  using write = std::function<result<done>(content&)>;

  explicit fake_cluster(fake_timers& timers) : clock(timers) {}

  /// Appends to the log when it can be applied to its end.
  result<done> append(write change) {
    auto applied = change(latest);
    if (applied)
      log.push_back(std::move(change));
    return applied;
  }

  fake_timers& clock;
  content latest;
  std::vector<write> log;
  std::vector<fake_call> calls;
};

class fake_store : public store {
public:
  /// A write that is answered with an error, applied or not.
  enum class fate { not_applied, applied };
  struct fault {
    error answer;
    fate what = fate::not_applied;
    int times = 1;
  };

  fake_store(fake_cluster& cluster, node_id node)
    : cluster_(cluster), node_(std::move(node)), clock_(cluster.clock) {}

  /// While it lags, the view stays as it is until an own write or catch_up.
  bool lags = false;
  /// By the call's name: "move", "write_record", "write_config", "barrier", "read_owner" ...
  std::map<std::string, fault> faults;

  void catch_up() {
    for (; applied_ < cluster_.log.size(); ++applied_)
      (void)cluster_.log[applied_](view_);
  }

  void read_places(callback<std::map<vm_id, node_id>> answer) override {
    read<std::map<vm_id, node_id>>("read_places", {}, std::move(answer), [](const auto& view) {
      std::map<vm_id, node_id> places;
      for (const auto& [vm, config] : view.configs)
        places.emplace(vm, config.first);
      return result<std::map<vm_id, node_id>>{places};
    });
  }
  void read_owner(vm_id vm, callback<std::optional<node_id>> answer) override {
    read<std::optional<node_id>>("read_owner", vm, std::move(answer), [vm](const auto& view) {
      const auto found = view.configs.find(vm);
      return result<std::optional<node_id>>{
        found == view.configs.end() ? std::nullopt : std::optional{found->second.first}};
    });
  }
  void read_config(vm_id vm, const node_id& node, callback<std::string> answer) override {
    read<std::string>("read_config", vm, std::move(answer), [=](const auto& view) {
      const auto found = view.configs.find(vm);
      if (found == view.configs.end() || found->second.first != node)
        return result<std::string>{fail(errc::conflict, "the config is not there", node.value)};
      return result<std::string>{found->second.second};
    });
  }
  void create_config(
    vm_id vm, const node_id& node, std::string text, callback<done> answer) override {
    change("create_config", vm, std::move(answer), [=](auto& all) -> result<done> {
      if (!all.configs.emplace(vm, std::pair{node, text}).second)
        return fail(errc::conflict, "the config exists");
      return done{};
    });
  }
  void write_config(
    vm_id vm, const node_id& node, config_edit edit, callback<done> answer) override {
    change("write_config", vm, std::move(answer), [=](auto& all) -> result<done> {
      const auto found = all.configs.find(vm);
      if (found == all.configs.end() || found->second.first != node)
        return fail(errc::conflict, "the config is not there", node.value);
      if (found->second.second != edit.before)
        return fail(errc::conflict, "the config has changed", node.value);
      found->second.second = edit.after;
      return done{};
    });
  }
  void remove_config(vm_id vm, const node_id& node, callback<done> answer) override {
    change("remove_config", vm, std::move(answer), [=](auto& all) -> result<done> {
      const auto found = all.configs.find(vm);
      if (found == all.configs.end() || found->second.first != node)
        return fail(errc::conflict, "the config is not there", node.value);
      all.configs.erase(found);
      return done{};
    });
  }
  void move_config(
    vm_id vm, const node_id& from, const node_id& to, callback<done> answer) override {
    change("move", vm, std::move(answer), [=](auto& all) -> result<done> {
      const auto found = all.configs.find(vm);
      if (found == all.configs.end() || found->second.first != from)
        return fail(errc::conflict, "the config is not there", from.value);
      found->second.first = to;
      return done{};
    });
  }
  void read_record(vm_id vm, callback<std::optional<handover_record>> answer) override {
    read<std::optional<handover_record>>(
      "read_record", vm, std::move(answer), [vm](const auto& view) {
        const auto found = view.records.find(vm);
        return result<std::optional<handover_record>>{
          found == view.records.end() ? std::nullopt : std::optional{found->second}};
      });
  }
  void read_records(callback<std::map<vm_id, handover_record>> answer) override {
    read<std::map<vm_id, handover_record>>(
      "read_records", {}, std::move(answer),
      [](const auto& view) { return result<std::map<vm_id, handover_record>>{view.records}; });
  }
  void write_record(handover_record record, callback<done> answer) override {
    change("write_record", record.vm, std::move(answer), [=](auto& all) -> result<done> {
      auto& there = all.records[record.vm];
      if (there.number > record.number)
        return fail(errc::conflict, "the record has a higher epoch");
      there = record;
      return done{};
    });
  }
  void barrier(callback<done> answer) override {
    change("barrier", {}, std::move(answer), [](auto&) -> result<done> { return done{}; });
  }
  void take_lock(
    const std::string& name, const std::string& holder, callback<done> answer) override {
    change("take_lock", {}, std::move(answer), [=](auto& all) -> result<done> {
      const auto [found, taken] = all.locks.emplace(name, holder);
      if (!taken && found->second != holder)
        return fail(errc::conflict, "the lock is held", found->second);
      return done{};
    });
  }
  void drop_lock(
    const std::string& name, const std::string& holder, callback<done> answer) override {
    change("drop_lock", {}, std::move(answer), [=](auto& all) -> result<done> {
      const auto found = all.locks.find(name);
      if (found == all.locks.end() || found->second != holder)
        return fail(errc::conflict, "the lock is not held by " + holder);
      all.locks.erase(found);
      return done{};
    });
  }
  void read_locks(const std::string& prefix, callback<std::vector<store_lock>> answer) override {
    read<std::vector<store_lock>>("read_locks", {}, std::move(answer), [=](const auto& view) {
      std::vector<store_lock> found;
      for (const auto& [name, holder] : view.locks)
        if (name.starts_with(prefix))
          found.push_back({name, holder});
      return result<std::vector<store_lock>>{found};
    });
  }
  void read_membership(callback<std::string> answer) override {
    read<std::string>("read_membership", {}, std::move(answer), [](const auto& view) {
      return result<std::string>{view.membership};
    });
  }

private:
  void note(const std::string& what, vm_id vm) {
    cluster_.calls.push_back({clock_.now(), node_.value, "store." + what, vm});
  }

  std::optional<fault> hit(const std::string& what) {
    const auto found = faults.find(what);
    if (found == faults.end() || found->second.times == 0)
      return std::nullopt;
    --found->second.times;
    return found->second;
  }

  template <class T>
  void read(
    const std::string& what, vm_id vm, callback<T> answer,
    std::function<result<T>(const fake_cluster::content&)> look) {
    note(what, vm);
    clock_.after(fake_latency, [this, what, answer = std::move(answer), look = std::move(look)] {
      if (const auto broken = hit(what))
        return answer(tl::unexpected{broken->answer});
      if (!lags)
        catch_up();
      answer(look(view_));
    });
  }

  void change(const std::string& what, vm_id vm, callback<done> answer, fake_cluster::write write) {
    note(what, vm);
    clock_.after(
      fake_latency, [this, what, answer = std::move(answer), write = std::move(write)]() mutable {
        const auto broken = hit(what);
        if (broken && broken->what == fate::not_applied)
          return answer(tl::unexpected{broken->answer});
        auto applied = cluster_.append(std::move(write));
        catch_up();
        if (broken)
          return answer(tl::unexpected{broken->answer});
        answer(std::move(applied));
      });
  }

  fake_cluster& cluster_;
  const node_id node_;
  fake_timers& clock_;
  fake_cluster::content view_;
  std::size_t applied_ = 0;
};

} // namespace drover::test
