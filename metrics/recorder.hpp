// Trace event -> series. Rule: it only reads the trace; nothing in drover asks it anything, and no
// decision depends on it. What a series means stands in the catalogue.
#pragma once

#include "runtime/base/trace.hpp"

#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace drover {

/// Takes events from any thread. Holds the few facts that a series needs between two events: where
/// each migration stands, and what each evacuation has left.
class metrics_recorder final : public trace_sink {
public:
  /// Registers every series of the catalogue with `registry`. `begun` shows in
  /// drover_start_timestamp_seconds: counters begin with 0 then.
  metrics_recorder(std::shared_ptr<prometheus::Registry> registry, wall_time begun);
  ~metrics_recorder() override;

  void take(const trace_event& event) override;

private:
  class state;
  std::unique_ptr<state> state_;
};

/// What /metrics would answer now, in Prometheus' text format.
std::string exposition(const prometheus::Registry& registry);

} // namespace drover
