// Tells when a scenario's actions are due: at a time, or some time after an event of the trace.
// Rule: it only waits and hands out; each action comes exactly once.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/scenario/scenario_file.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

namespace drover {

class action_triggers final : public trace_sink {
public:
  /// `chance` draws the counts that are ranges.
  explicit action_triggers(const std::vector<scenario_action>& actions, luck chance = luck{1});

  /// The beginning, from which times without an event count.
  void begin(mono_time now);
  void take(const trace_event& event) override;
  /// Waits until an action is due, at most until `until`; its index.
  std::optional<std::size_t> next(mono_time until);
  /// Wakes who waits.
  void wake();
  /// Those whose time or event never came.
  std::vector<std::size_t> never_due() const;

private:
  struct entry {
    std::optional<event_counter> waits_for;
    milliseconds after{0};
    std::optional<mono_time> due;
    bool handed_out = false;
  };

  std::optional<std::size_t> earliest() const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<entry> entries_;
  unsigned wakes_ = 0;
};

} // namespace drover
