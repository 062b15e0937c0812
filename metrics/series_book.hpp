// Every series of the catalogue in a registry, reached by its id. Rule: the label names come from
// the catalogue; a caller gives their values, in that order.
#pragma once

#include "metrics/catalogue.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace drover {

class series_book {
public:
  using label_values = std::vector<std::string>;

  /// Registers all series, with the label sets that exist from the start.
  explicit series_book(std::shared_ptr<prometheus::Registry> registry);

  prometheus::Counter& counter(series_id id, const label_values& of = {});
  prometheus::Gauge& gauge(series_id id, const label_values& of = {});
  prometheus::Histogram& histogram(series_id id, const label_values& of = {});

  /// Shows the label set with the value 0 where it has none yet.
  void show(series_id id, const label_values& of);

private:
  std::shared_ptr<prometheus::Registry> registry_;
  std::map<series_id, prometheus::Family<prometheus::Counter>*> counters_;
  std::map<series_id, prometheus::Family<prometheus::Gauge>*> gauges_;
  std::map<series_id, prometheus::Family<prometheus::Histogram>*> histograms_;
};

} // namespace drover
