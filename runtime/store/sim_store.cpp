#include "runtime/store/sim_store.hpp"

#include "runtime/store/sim_store_calls.hpp"
#include "runtime/store/sim_store_core.hpp"

#include <utility>

namespace drover {
namespace {

enum class sim_access : std::uint8_t { read, write };

template <class T>
class typed_sim_call final : public sim_call {
public:
  typed_sim_call(
    const char* operation, vm_id vm, mono_time asked, wall_time asked_wall, sim_access access,
    sim_store_core::job<T> what, callback<T> answer)
    : sim_call(operation, vm, asked, asked_wall), access_(access), what_(std::move(what)),
      answer_(std::move(answer)) {}

  bool is_write() const override { return access_ == sim_access::write; }
  nanoseconds draw(sim_store_core& core, sim_store_node& node) override {
    // A refusal for want of a quorum comes at once.
    const bool is_short = access_ == sim_access::read || !core.has_quorum(node);
    return (is_short ? core.settings().read : core.settings().write).draw(node.chance);
  }
  void make(sim_store_core& core, sim_store_node& node) override {
    if constexpr (std::is_same_v<T, done>) {
      auto outcome = core.write(node, begun, what_);
      if (!answered)
        outcome_ = std::move(outcome);
    } else if (answer_ && !answered) {
      outcome_ = core.read(node, what_);
    }
  }
  bool was_good() const override { return outcome_.has_value(); }
  void fail_with(error why) override { outcome_ = tl::unexpected(std::move(why)); }
  void hand_over() override {
    if (const auto take_answer = std::exchange(answer_, {}))
      take_answer(std::move(outcome_));
  }
  void forget() override { answer_ = {}; }

private:
  sim_access access_;
  sim_store_core::job<T> what_;
  callback<T> answer_;
  result<T> outcome_ = fail(errc::bug, "nobody has decided it");
};

class sim_store final : public store {
public:
  sim_store(
    const std::shared_ptr<sim_store_core>& core, const node_id& node,
    sim_store_calls::observer observe)
    : calls_(std::make_shared<sim_store_calls>(core, core->node(node), std::move(observe))) {
    calls_->listen();
  }
  ~sim_store() override { calls_->close(); }
  sim_store(const sim_store&) = delete;
  sim_store& operator=(const sim_store&) = delete;

  void read_places(callback<std::map<vm_id, node_id>> answer) override {
    using places = std::map<vm_id, node_id>;
    read<places>(
      "read_places", {}, [](auto& at) { return at.read_places(); }, std::move(answer));
  }
  void read_owner(vm_id vm, callback<std::optional<node_id>> answer) override {
    read<std::optional<node_id>>(
      "read_owner", vm, [vm](auto& at) { return at.read_owner(vm); }, std::move(answer));
  }
  void read_config(vm_id vm, const node_id& node, callback<std::string> answer) override {
    read<std::string>(
      "read_config", vm, [vm, node](auto& at) { return at.read_config(vm, node); },
      std::move(answer));
  }
  void read_record(vm_id vm, callback<std::optional<handover_record>> answer) override {
    read<std::optional<handover_record>>(
      "read_record", vm, [vm](auto& at) { return at.read_record(vm); }, std::move(answer));
  }
  void read_records(callback<std::map<vm_id, handover_record>> answer) override {
    read<std::map<vm_id, handover_record>>(
      "read_records", {}, [](auto& at) { return at.read_records(); }, std::move(answer));
  }
  void read_locks(const std::string& prefix, callback<std::vector<store_lock>> answer) override {
    read<std::vector<store_lock>>(
      "read_locks", {}, [prefix](auto& at) { return at.read_locks(prefix); }, std::move(answer));
  }
  void read_membership(callback<std::string> answer) override {
    read<std::string>(
      "read_membership", {}, [](auto& at) { return at.read_membership(); }, std::move(answer));
  }

  void create_config(
    vm_id vm, const node_id& node, std::string text, callback<done> answer) override {
    write(
      "create_config", vm,
      [vm, node, text = std::move(text)](auto& at, auto& change) {
        return at.create_config(vm, node, text, change);
      },
      std::move(answer));
  }
  void write_config(
    vm_id vm, const node_id& node, config_edit edit, callback<done> answer) override {
    write(
      "write_config", vm,
      [vm, node, edit = std::move(edit)](auto& at, auto& change) {
        return at.write_config(vm, node, edit, change);
      },
      std::move(answer));
  }
  void remove_config(vm_id vm, const node_id& node, callback<done> answer) override {
    write(
      "remove_config", vm,
      [vm, node](auto& at, auto& change) { return at.remove_config(vm, node, change); },
      std::move(answer));
  }
  void move_config(
    vm_id vm, const node_id& from, const node_id& to, callback<done> answer) override {
    write(
      "move_config", vm,
      [vm, from, to](auto& at, auto& change) { return at.move_config(vm, from, to, change); },
      std::move(answer));
  }
  void write_record(handover_record record, callback<done> answer) override {
    const auto vm = record.vm;
    write(
      "write_record", vm,
      [record = std::move(record)](auto& at, auto& change) {
        return at.write_record(record, change);
      },
      std::move(answer));
  }
  void barrier(callback<done> answer) override {
    write(
      "barrier", {}, [](auto& at, auto& change) { return at.barrier(change); }, std::move(answer));
  }
  void take_lock(
    const std::string& name, const std::string& holder, callback<done> answer) override {
    write(
      "take_lock", {},
      [name, holder](auto& at, auto& change) { return at.take_lock(name, holder, change); },
      std::move(answer));
  }
  void drop_lock(
    const std::string& name, const std::string& holder, callback<done> answer) override {
    write(
      "drop_lock", {},
      [name, holder](auto& at, auto& change) { return at.drop_lock(name, holder, change); },
      std::move(answer));
  }

private:
  template <class T, class Read>
  void read(const char* operation, vm_id vm, Read what, callback<T> answer) {
    add<T>(
      operation, vm, sim_access::read,
      [what = std::move(what)](store_replica& at, const change_function&) -> result<T> {
        return what(at);
      },
      std::move(answer));
  }
  void write(
    const char* operation, vm_id vm, sim_store_core::job<done> what, callback<done> answer) {
    add<done>(operation, vm, sim_access::write, std::move(what), std::move(answer));
  }
  template <class T>
  void add(
    const char* operation, vm_id vm, sim_access access, sim_store_core::job<T> what,
    callback<T> answer) {
    auto& queue = calls_->queue();
    calls_->add(std::make_shared<typed_sim_call<T>>(
      operation, vm, queue.now(), queue.wall_now(), access, std::move(what), std::move(answer)));
  }

  std::shared_ptr<sim_store_calls> calls_;
};

} // namespace

/// The core lives on in the tasks that are armed, after the cluster is gone.
struct sim_store_cluster::parts : sim_store_core {
  using sim_store_core::sim_store_core;
};

sim_store_cluster::sim_store_cluster(
  event_queue& queue, luck chance, sim_store_settings settings, const std::vector<node_id>& nodes)
  : parts_(std::make_shared<parts>(queue, chance, settings, nodes)) {
  parts_->watcher = &on_view_changed;
}

sim_store_cluster::~sim_store_cluster() { parts_->watcher = nullptr; }

std::unique_ptr<store> sim_store_cluster::open(
  const node_id& node, std::function<void(const store_operation&)> observe) {
  return std::make_unique<sim_store>(parts_, node, std::move(observe));
}

// -- what is done to it --------------------------------------------------------------------------

void sim_store_cluster::set_lag(const node_id& node, const delay_range& lag) {
  parts_->set_lag(node, lag);
}
void sim_store_cluster::hang(nanoseconds how_long) { parts_->hang(how_long); }
void sim_store_cluster::set_quorum_lost(const node_id& node, nanoseconds how_long) {
  parts_->set_quorum_lost(node, how_long);
}
void sim_store_cluster::change_membership(nanoseconds how_long, std::uint32_t applied_per_million) {
  parts_->change_membership(how_long, applied_per_million);
}
void sim_store_cluster::cut_off(const node_id& node) { parts_->cut_off(node); }
void sim_store_cluster::heal(const node_id& node, heal_outcome outcome) {
  parts_->heal(node, outcome);
}
void sim_store_cluster::remove_lock(const std::string& name, const std::string& taken_by) {
  parts_->remove_lock(name, taken_by);
}
void sim_store_cluster::fail_writes(const node_id& node, std::uint32_t count) {
  parts_->node(node).failing_writes += count;
}

// -- the truth -----------------------------------------------------------------------------------

std::optional<node_id> sim_store_cluster::owner(vm_id vm) const {
  return parts_->log().owner(vm, parts_->log().end());
}

std::map<vm_id, node_id> sim_store_cluster::places() const {
  return parts_->log().places(parts_->log().end());
}

std::string sim_store_cluster::config(vm_id vm) const {
  const auto* version = parts_->log().config(vm, parts_->log().end());
  return version != nullptr ? *version->text : std::string{};
}

std::optional<handover_record> sim_store_cluster::record(vm_id vm) const {
  const auto* record = parts_->log().record(vm, parts_->log().end());
  return record != nullptr ? std::optional(*record) : std::nullopt;
}

std::vector<store_lock> sim_store_cluster::locks() const {
  std::vector<store_lock> out;
  for (const auto& [name, lock] : parts_->log().locks("", parts_->log().end()))
    if (parts_->now() - lock.at < parts_->settings().lock_expiry)
      out.push_back({name, lock.holder});
  return out;
}

std::optional<node_id> sim_store_cluster::seen_owner(const node_id& node, vm_id vm) const {
  return parts_->look(parts_->node(node)).read_owner(vm);
}

std::uint64_t sim_store_cluster::writes() const { return parts_->writes(); }

void sim_store_cluster::put_config(vm_id vm, const node_id& node, std::string text) {
  parts_->put_config(vm, node, std::move(text));
}

} // namespace drover
