#include "metrics/recorder.hpp"

#include "metrics/catalogue.hpp"
#include "runtime/base/check.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

namespace drover {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;

/// The permits that are granted together with the VM's lock.
constexpr std::string_view set_with_lock = "prepare";

prometheus::Labels label(const series& of, const std::vector<std::string>& values) {
  DROVER_CHECK(values.size() == of.labels.size(), "as many label values as the catalogue names");
  prometheus::Labels labels;
  for (std::size_t i = 0; i < values.size(); ++i)
    labels.emplace(of.labels[i], values[i]);
  return labels;
}

template <class Metric, class Builder>
prometheus::Family<Metric>& family(Builder builder, series_id id, prometheus::Registry& registry) {
  const auto& of = describe(id);
  return builder.Name(std::string{of.name}).Help(std::string{of.help}).Register(registry);
}

prometheus::Family<Counter>& counters(series_id id, prometheus::Registry& registry) {
  return family<Counter>(prometheus::BuildCounter(), id, registry);
}

prometheus::Family<Gauge>& gauges(series_id id, prometheus::Registry& registry) {
  return family<Gauge>(prometheus::BuildGauge(), id, registry);
}

prometheus::Family<Histogram>& histograms(series_id id, prometheus::Registry& registry) {
  return family<Histogram>(prometheus::BuildHistogram(), id, registry);
}

/// One VM on its way, as the events told it so far.
struct journey {
  std::string phase;
  std::uint64_t transferred_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t done_bytes =
    0; ///< of total_bytes; grows only, although a guest dirties pages again
};

/// What a running evacuation has left.
struct remainder {
  std::uint64_t vms = 0;
  std::uint64_t bytes = 0;
};

} // namespace

class metrics_recorder::state {
public:
  explicit state(std::shared_ptr<prometheus::Registry> registry);

  void take(const trace_event& event) {
    const std::scoped_lock hold{mutex_};
    std::visit([this](const auto& body) { on(body); }, event.body);
  }

private:
  void on(const store_operation& e);
  void on(const link_changed& e);
  void on(const node_listed& e);
  void on(const evacuation_started& e);
  void on(const evacuation_ended& e);
  void on(const phase_changed& e);
  void on(const permits_granted& e);
  void on(const barrier_passed& e);
  void on(const stream_moved& e);
  void on(const migration_ended& e);
  void on(const retried& e);
  // The rest says nothing that a series shows.
  void on(const pause_mark&) {}
  void on(const scenario_acted&) {}
  void on(const remark&) {}
  void on(const race_met&) {}
  void on(const stream_narrowed&) {}
  void on(const message_carried&) {}
  void on(const machine_changed&) {}
  void on(const view_changed&) {}

  void add_initial(const series& of);
  void enter_phase(journey& vm, const std::string& phase);
  void count_transferred(journey& vm, std::uint64_t transferred_bytes);
  void count_off(const node_id& node, std::uint64_t bytes);
  void show(const node_id& node, const remainder& left);

  Counter& counter(series_id id, const std::vector<std::string>& values) {
    return counters_.at(id)->Add(label(describe(id), values));
  }
  Gauge& gauge(series_id id, const std::vector<std::string>& values) {
    return gauges_.at(id)->Add(label(describe(id), values));
  }
  Histogram& histogram(series_id id, const std::vector<std::string>& values) {
    return histograms_.at(id)->Add(label(describe(id), values), describe(id).buckets);
  }

  std::shared_ptr<prometheus::Registry> registry_;
  std::mutex mutex_;
  std::map<series_id, prometheus::Family<Counter>*> counters_;
  std::map<series_id, prometheus::Family<Gauge>*> gauges_;
  std::map<series_id, prometheus::Family<Histogram>*> histograms_;
  std::map<vm_id, journey> journeys_;
  std::map<node_id, remainder> evacuations_;
};

metrics_recorder::state::state(std::shared_ptr<prometheus::Registry> registry)
  : registry_(std::move(registry)) {
  for (const auto& of : catalogue()) {
    switch (of.kind) {
    case series_kind::counter:
      counters_[of.id] = &counters(of.id, *registry_);
      break;
    case series_kind::gauge:
      gauges_[of.id] = &gauges(of.id, *registry_);
      break;
    case series_kind::histogram:
      histograms_[of.id] = &histograms(of.id, *registry_);
      break;
    }
    add_initial(of);
  }
  gauge(series_id::build_info, {DROVER_VERSION}).Set(1);
}

void metrics_recorder::state::add_initial(const series& of) {
  for (const auto& values : of.initial) {
    switch (of.kind) {
    case series_kind::counter:
      counter(of.id, values);
      break;
    case series_kind::gauge:
      gauge(of.id, values);
      break;
    case series_kind::histogram:
      histogram(of.id, values);
      break;
    }
  }
}

void metrics_recorder::state::on(const store_operation& e) {
  counter(series_id::store_operations_total, {e.node.value, e.operation}).Increment();
  histogram(series_id::store_operation_seconds, {e.operation}).Observe(seconds(e.end - e.begin));
}

void metrics_recorder::state::on(const link_changed& e) {
  gauge(series_id::links_up, {e.node.value}).Set(e.state == "up" ? 1 : 0);
}

void metrics_recorder::state::on(const node_listed& e) {
  gauge(series_id::node_vms, {e.node.value}).Set(e.vms);
}

void metrics_recorder::state::on(const evacuation_started& e) {
  evacuations_[e.node] = {e.vms, e.bytes};
  show(e.node, evacuations_[e.node]);
}

void metrics_recorder::state::on(const evacuation_ended& e) {
  evacuations_.erase(e.node);
  show(e.node, {});
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
  if (!vm.phase.empty())
    gauge(series_id::migrations_in_flight, {vm.phase}).Decrement();
  if (!phase.empty())
    gauge(series_id::migrations_in_flight, {phase}).Increment();
  vm.phase = phase;
}

void metrics_recorder::state::on(const permits_granted& e) {
  histogram(series_id::permit_wait_seconds, {e.set}).Observe(e.waited_s);
  if (e.set == set_with_lock)
    histogram(series_id::lock_wait_seconds, {}).Observe(e.waited_s);
}

void metrics_recorder::state::on(const barrier_passed& e) {
  histogram(series_id::store_barrier_wait_seconds, {}).Observe(e.waited_us / 1e6);
}

void metrics_recorder::state::on(const stream_moved& e) {
  auto& vm = journeys_[e.vm];
  count_transferred(vm, e.transferred_bytes);
  vm.total_bytes = e.total_bytes;
  const auto done = e.total_bytes - std::min(e.remaining_bytes, e.total_bytes);
  // The event does not name the source; with several evacuations in one process the bytes are
  // counted off when the migration ends.
  if (evacuations_.size() != 1 || done <= vm.done_bytes)
    return;
  count_off(evacuations_.begin()->first, done - vm.done_bytes);
  vm.done_bytes = done;
}

void metrics_recorder::state::count_transferred(journey& vm, std::uint64_t transferred_bytes) {
  // A smaller figure is a new stream of the same VM: it starts from zero.
  const auto before = transferred_bytes < vm.transferred_bytes ? 0 : vm.transferred_bytes;
  counter(series_id::transferred_bytes_total, {})
    .Increment(static_cast<double>(transferred_bytes - before));
  vm.transferred_bytes = transferred_bytes;
}

void metrics_recorder::state::count_off(const node_id& node, std::uint64_t bytes) {
  const auto found = evacuations_.find(node);
  if (found == evacuations_.end())
    return;
  found->second.bytes -= std::min(bytes, found->second.bytes);
  show(node, found->second);
}

void metrics_recorder::state::show(const node_id& node, const remainder& left) {
  gauge(series_id::evacuation_remaining_vms, {node.value}).Set(static_cast<double>(left.vms));
  gauge(series_id::evacuation_remaining_bytes, {node.value}).Set(static_cast<double>(left.bytes));
}

void metrics_recorder::state::on(const migration_ended& e) {
  counter(series_id::migrations_total, {e.result, std::string{to_string(e.how)}}).Increment();
  const auto observe = [this](const char* segment, const std::optional<double>& value_s) {
    if (value_s)
      histogram(series_id::migration_pause_seconds, {segment}).Observe(*value_s);
  };
  observe("blackout", e.blackout_s);
  observe("handover", e.handover_s);
  observe("total", e.pause_s);

  auto vm = journeys_[e.vm];
  journeys_.erase(e.vm);
  enter_phase(vm, {});
  count_transferred(vm, std::max(e.bytes, vm.transferred_bytes));
  if (const auto found = evacuations_.find(e.source); found != evacuations_.end()) {
    found->second.vms -= std::min<std::uint64_t>(1, found->second.vms);
    count_off(e.source, vm.total_bytes - vm.done_bytes);
  }
  if (e.result == "moved") {
    gauge(series_id::node_vms, {e.source.value}).Decrement();
    gauge(series_id::node_vms, {e.target.value}).Increment();
  }
}

void metrics_recorder::state::on(const retried& e) {
  counter(series_id::retries_total, {e.method}).Increment();
}

metrics_recorder::metrics_recorder(std::shared_ptr<prometheus::Registry> registry)
  : state_(std::make_unique<state>(std::move(registry))) {}

metrics_recorder::~metrics_recorder() = default;

void metrics_recorder::take(const trace_event& event) { state_->take(event); }

std::string exposition(const prometheus::Registry& registry) {
  return prometheus::TextSerializer{}.Serialize(registry.Collect());
}

} // namespace drover
