#include "metrics/recorder.hpp"

#include "metrics/series_book.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace drover {
namespace {

/// The permits that are granted together with the VM's lock.
constexpr std::string_view set_with_lock = "prepare";
constexpr std::array<const char*, 3> results{"moved", "stayed", "needs_operator"};
constexpr std::array<const char*, 3> segments{"blackout", "handover", "total"};
constexpr std::array<const char*, 3> link_states{"up", "down", "left"};
constexpr std::array<const char*, 5> evacuation_states{
  "running", "all_moved", "some_stayed", "cancelled", "infeasible"};

/// One VM on its way, as the events told it so far.
struct journey {
  node_id source; ///< empty where the plan was not told
  policy how = policy::ticket;
  std::string phase;
  wall_time phase_since;
  std::optional<wall_time> resumed;
  std::uint64_t transferred_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t done_bytes =
    0; ///< of total_bytes; grows only, although a guest dirties pages again
};

/// What a running evacuation has left.
struct remainder {
  std::uint64_t vms = 0;
  std::uint64_t bytes = 0;
  std::uint64_t all_bytes = 0;
  wall_time begun;
};

double unix_seconds(wall_time at) { return seconds(at.time_since_epoch()); }

} // namespace

class metrics_recorder::state {
public:
  state(std::shared_ptr<prometheus::Registry> registry, wall_time begun)
    : book_(std::move(registry)) {
    book_.gauge(series_id::start_timestamp_seconds).Set(unix_seconds(begun));
    book_.gauge(series_id::build_info, {DROVER_VERSION}).Set(1);
  }

  void take(const trace_event& event) {
    const std::scoped_lock hold{mutex_};
    now_ = event.at;
    std::visit([this](const auto& body) { on(body); }, event.body);
  }

private:
  void on(const store_operation& e);
  void on(const link_changed& e);
  void on(const node_listed& e) { book_.gauge(series_id::node_vms, {e.node.value}).Set(e.vms); }
  void on(const evacuation_started& e);
  void on(const evacuation_ended& e);
  void on(const migration_planned& e);
  void on(const phase_changed& e);
  void on(const permits_granted& e);
  void on(const barrier_passed& e);
  void on(const stream_moved& e);
  void on(const pause_mark& e);
  void on(const race_met& e);
  void on(const migration_ended& e);
  void on(const retried& e);
  void on(const node_answered& e);
  void on(const permits_counted& e);
  void on(const actors_sampled& e);
  // The rest says nothing that a series shows.
  void on(const vm_left_out&) {}
  void on(const scenario_acted&) {}
  void on(const remark&) {}
  void on(const stream_narrowed&) {}
  void on(const message_carried&) {}
  void on(const machine_changed&) {}
  void on(const view_changed&) {}

  void enter_phase(journey& vm, const std::string& phase);
  void count_pause(const migration_ended& e);
  void count_transferred(journey& vm, std::uint64_t transferred_bytes);
  void count_off(const node_id& node, std::uint64_t bytes);
  void show_state(const node_id& node, std::string_view present);
  void show_left(const node_id& node, const remainder& left);
  double eta_s(const remainder& left) const;

  series_book book_;
  std::mutex mutex_;
  wall_time now_;
  std::map<vm_id, journey> journeys_;
  std::map<node_id, remainder> evacuations_;
  std::map<node_id, bool> links_up_;
  std::set<vm_id> needing_operator_;
};

// -- nodes and their channels --------------------------------------------------------------------

void metrics_recorder::state::on(const store_operation& e) {
  book_.counter(series_id::store_operations_total, {e.node.value, e.operation}).Increment();
  book_.histogram(series_id::store_operation_seconds, {e.operation})
    .Observe(seconds(e.end - e.begin));
  if (!e.ok)
    book_.counter(series_id::store_operation_failures_total, {e.node.value}).Increment();
}

void metrics_recorder::state::on(const link_changed& e) {
  const bool is_up = e.state == "up";
  auto& was_up = links_up_[e.node];
  for (const auto id :
       {series_id::ownership_conflicts_total, series_id::store_operation_failures_total})
    book_.show(id, {e.node.value});
  auto& losses = book_.counter(series_id::link_losses_total, {e.node.value});
  if (was_up && e.state == "down")
    losses.Increment();
  was_up = is_up;
  for (const std::string_view one : link_states)
    book_.gauge(series_id::link_state, {e.node.value, std::string{one}})
      .Set(one == e.state ? 1 : 0);
}

void metrics_recorder::state::on(const node_answered& e) {
  book_.histogram(series_id::command_seconds, {e.method})
    .Observe(static_cast<double>(e.took_us) / 1e6);
  if (e.outcome == "ok")
    return;
  book_.counter(series_id::command_failures_total, {e.method, e.outcome}).Increment();
  // The other conflicts are about the node: a second controller's cordon or agent.
  const bool is_about_vm = e.method != "cordon" && e.method != "uncordon" && e.method != "hello";
  if (e.outcome == "conflict" && is_about_vm)
    book_.counter(series_id::ownership_conflicts_total, {e.node.value}).Increment();
}

void metrics_recorder::state::on(const retried& e) {
  book_.counter(series_id::retries_total, {e.method, e.cause}).Increment();
}

void metrics_recorder::state::on(const permits_counted& e) {
  const series_book::label_values labels{e.scope, e.node.value};
  book_.gauge(series_id::permits_used, labels).Set(e.used);
  book_.gauge(series_id::permits_limit, labels).Set(e.limit);
  book_.gauge(series_id::permits_waiting, labels).Set(e.waiting);
}

void metrics_recorder::state::on(const actors_sampled& e) {
  book_.histogram(series_id::mailbox_wait_seconds, {e.actor})
    .Observe(static_cast<double>(e.mailbox_us) / 1e6);
  book_.histogram(series_id::timer_lateness_seconds)
    .Observe(static_cast<double>(e.timer_late_us) / 1e6);
}

// -- evacuations ---------------------------------------------------------------------------------

void metrics_recorder::state::on(const evacuation_started& e) {
  evacuations_[e.node] = {e.vms, e.bytes, e.bytes, now_};
  book_.show(series_id::evacuation_last_success_timestamp_seconds, {e.node.value});
  show_state(e.node, "running");
  show_left(e.node, evacuations_[e.node]);
}

void metrics_recorder::state::on(const evacuation_ended& e) {
  evacuations_.erase(e.node);
  show_state(e.node, e.result);
  show_left(e.node, {});
  if (e.result == "all_moved")
    book_.gauge(series_id::evacuation_last_success_timestamp_seconds, {e.node.value})
      .Set(unix_seconds(now_));
}

void metrics_recorder::state::show_state(const node_id& node, std::string_view present) {
  for (const std::string_view one : evacuation_states)
    book_.gauge(series_id::evacuation_state, {node.value, std::string{one}})
      .Set(one == present ? 1 : 0);
}

void metrics_recorder::state::show_left(const node_id& node, const remainder& left) {
  book_.gauge(series_id::evacuation_remaining_vms, {node.value}).Set(static_cast<double>(left.vms));
  book_.gauge(series_id::evacuation_remaining_bytes, {node.value})
    .Set(static_cast<double>(left.bytes));
  book_.gauge(series_id::evacuation_eta_seconds, {node.value}).Set(eta_s(left));
}

double metrics_recorder::state::eta_s(const remainder& left) const {
  if (left.vms == 0)
    return 0;
  if (left.bytes == left.all_bytes || now_ <= left.begun)
    return std::numeric_limits<double>::quiet_NaN();
  const auto done = static_cast<double>(left.all_bytes - left.bytes);
  return static_cast<double>(left.bytes) * seconds(now_ - left.begun) / done;
}

void metrics_recorder::state::count_off(const node_id& node, std::uint64_t bytes) {
  const auto found = evacuations_.find(node);
  if (found == evacuations_.end())
    return;
  found->second.bytes -= std::min(bytes, found->second.bytes);
  show_left(node, found->second);
}

// -- migrations ----------------------------------------------------------------------------------

void metrics_recorder::state::on(const migration_planned& e) {
  auto& vm = journeys_[e.vm];
  vm.source = e.source;
  vm.how = e.how;
  enter_phase(vm, "waiting"); // It asks for its permits at once.
  const std::string how{to_string(e.how)};
  for (const auto* result : results)
    book_.show(series_id::migrations_total, {result, how, e.source.value, e.target.value});
  for (const auto* segment : segments)
    book_.show(series_id::migration_pause_seconds, {segment, how});
}

void metrics_recorder::state::on(const phase_changed& e) {
  // The machine's last phase is told beside migration_ended, in either order: neither may leave a
  // journey behind.
  if (e.to == "ended") {
    if (const auto found = journeys_.find(e.vm); found != journeys_.end())
      enter_phase(found->second, {});
    return;
  }
  enter_phase(journeys_[e.vm], e.to);
}

void metrics_recorder::state::enter_phase(journey& vm, const std::string& phase) {
  if (!vm.phase.empty()) {
    book_.gauge(series_id::migrations_in_flight, {vm.phase}).Decrement();
    book_.histogram(series_id::migration_phase_seconds, {vm.phase})
      .Observe(seconds(now_ - vm.phase_since));
  }
  if (!phase.empty())
    book_.gauge(series_id::migrations_in_flight, {phase}).Increment();
  vm.phase = phase;
  vm.phase_since = now_;
}

void metrics_recorder::state::on(const permits_granted& e) {
  book_.histogram(series_id::permit_wait_seconds, {e.set}).Observe(e.waited_s);
  if (e.set == set_with_lock)
    book_.histogram(series_id::lock_wait_seconds).Observe(e.waited_s);
}

void metrics_recorder::state::on(const barrier_passed& e) {
  book_.histogram(series_id::store_barrier_wait_seconds).Observe(e.waited_us / 1e6);
}

void metrics_recorder::state::on(const stream_moved& e) {
  auto& vm = journeys_[e.vm];
  count_transferred(vm, e.transferred_bytes);
  vm.total_bytes = e.total_bytes;
  const auto done = e.total_bytes - std::min(e.remaining_bytes, e.total_bytes);
  if (done <= vm.done_bytes)
    return;
  count_off(vm.source, done - vm.done_bytes);
  vm.done_bytes = done;
}

void metrics_recorder::state::count_transferred(journey& vm, std::uint64_t transferred_bytes) {
  // A smaller figure is a new stream of the same VM: it starts from zero.
  const auto before = transferred_bytes < vm.transferred_bytes ? 0 : vm.transferred_bytes;
  book_.counter(series_id::transferred_bytes_total)
    .Increment(static_cast<double>(transferred_bytes - before));
  vm.transferred_bytes = transferred_bytes;
}

void metrics_recorder::state::on(const pause_mark& e) {
  const auto found = journeys_.find(e.vm);
  if (found == journeys_.end())
    return;
  auto& vm = found->second;
  if (e.mark == "resumed")
    vm.resumed = e.at;
  if (e.mark != "claimed" || !vm.resumed)
    return;
  // Both marks are of the target's clock.
  book_.histogram(series_id::claim_latency_seconds)
    .Observe(std::max(0.0, seconds(e.at - *vm.resumed)));
  // The store showed the VM here only now, so a target that had looked would have refused it.
  if (vm.how == policy::ticket && e.at > *vm.resumed)
    book_.counter(series_id::races_total, {std::string{to_string(vm.how)}, "averted"}).Increment();
}

void metrics_recorder::state::on(const race_met& e) {
  book_.counter(series_id::races_total, {std::string{to_string(e.how)}, e.end}).Increment();
}

void metrics_recorder::state::count_pause(const migration_ended& e) {
  const std::string how{to_string(e.how)};
  const std::array<const std::optional<double>*, 3> values{
    &e.blackout_s, &e.handover_s, &e.pause_s};
  for (std::size_t i = 0; i < segments.size(); ++i)
    if (*values[i])
      book_.histogram(series_id::migration_pause_seconds, {segments[i], how}).Observe(**values[i]);
  if (e.pause_s && e.budget_s && *e.pause_s > *e.budget_s)
    book_.counter(series_id::pause_budget_exceeded_total, {how}).Increment();
}

void metrics_recorder::state::on(const migration_ended& e) {
  const std::string how{to_string(e.how)};
  book_.counter(series_id::migrations_total, {e.result, how, e.source.value, e.target.value})
    .Increment();
  book_.histogram(series_id::migration_seconds, {e.result}).Observe(e.total_s);
  count_pause(e);
  if (e.result == "needs_operator")
    needing_operator_.insert(e.vm);
  else
    needing_operator_.erase(e.vm);
  book_.gauge(series_id::vms_needing_operator).Set(static_cast<double>(needing_operator_.size()));

  auto vm = journeys_[e.vm];
  journeys_.erase(e.vm);
  enter_phase(vm, {});
  count_transferred(vm, std::max(e.bytes, vm.transferred_bytes));
  if (const auto found = evacuations_.find(e.source); found != evacuations_.end()) {
    found->second.vms -= std::min<std::uint64_t>(1, found->second.vms);
    count_off(e.source, vm.total_bytes - vm.done_bytes);
  }
  if (e.result == "moved") {
    book_.gauge(series_id::node_vms, {e.source.value}).Decrement();
    book_.gauge(series_id::node_vms, {e.target.value}).Increment();
  }
}

metrics_recorder::metrics_recorder(std::shared_ptr<prometheus::Registry> registry, wall_time begun)
  : state_(std::make_unique<state>(std::move(registry), begun)) {}

metrics_recorder::~metrics_recorder() = default;

void metrics_recorder::take(const trace_event& event) { state_->take(event); }

std::string exposition(const prometheus::Registry& registry) {
  return prometheus::TextSerializer{}.Serialize(registry.Collect());
}

} // namespace drover
