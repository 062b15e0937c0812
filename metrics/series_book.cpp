#include "metrics/series_book.hpp"

#include "runtime/base/check.hpp"

namespace drover {
namespace {

prometheus::Labels label(const series& of, const series_book::label_values& values) {
  DROVER_CHECK(values.size() == of.labels.size(), "as many label values as the catalogue names");
  prometheus::Labels labels;
  for (std::size_t i = 0; i < values.size(); ++i)
    labels.emplace(of.labels[i], values[i]);
  return labels;
}

template <class Builder>
auto* family(Builder builder, const series& of, prometheus::Registry& registry) {
  return &builder.Name(std::string{of.name}).Help(std::string{of.help}).Register(registry);
}

} // namespace

series_book::series_book(std::shared_ptr<prometheus::Registry> registry)
  : registry_(std::move(registry)) {
  for (const auto& of : catalogue()) {
    switch (of.kind) {
    case series_kind::counter:
      counters_[of.id] = family(prometheus::BuildCounter(), of, *registry_);
      break;
    case series_kind::gauge:
      gauges_[of.id] = family(prometheus::BuildGauge(), of, *registry_);
      break;
    case series_kind::histogram:
      histograms_[of.id] = family(prometheus::BuildHistogram(), of, *registry_);
      break;
    }
    for (const auto& values : of.initial)
      show(of.id, values);
  }
}

prometheus::Counter& series_book::counter(series_id id, const label_values& of) {
  return counters_.at(id)->Add(label(describe(id), of));
}

prometheus::Gauge& series_book::gauge(series_id id, const label_values& of) {
  return gauges_.at(id)->Add(label(describe(id), of));
}

prometheus::Histogram& series_book::histogram(series_id id, const label_values& of) {
  return histograms_.at(id)->Add(label(describe(id), of), describe(id).buckets);
}

void series_book::show(series_id id, const label_values& of) {
  switch (describe(id).kind) {
  case series_kind::counter:
    counter(id, of);
    break;
  case series_kind::gauge:
    gauge(id, of);
    break;
  case series_kind::histogram:
    histogram(id, of);
    break;
  }
}

} // namespace drover
