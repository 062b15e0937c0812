// The pauses as they were by the world's clock, beside what was told of them. Rule: a pause that is
// told holds the true one within its bound, whatever the hosts' clocks show; who counts what
// happened inside of pauses is given them by the world's clock, too.
#pragma once

#include "runtime/base/host_clocks.hpp"
#include "runtime/base/trace.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace drover {

class pause_truth final : public trace_sink {
public:
  /// Told of a pause that is not what was told of it.
  using accuser = std::function<void(vm_id vm, const std::string& what)>;

  /// `next` hears every event, with marks of pauses by the world's clock.
  pause_truth(const event_queue& world, const host_clocks& clocks, std::shared_ptr<trace_sink> next)
    : world_(world), clocks_(clocks), next_(std::move(next)) {}

  void set_accuser(accuser accuse) { accuse_ = std::move(accuse); }
  void take(const trace_event& event) override;
  /// How many figures were held against the truth.
  std::uint64_t checked() const { return checked_; }

private:
  /// A QEMU's stamp: of which VM, where, and what its host's clock showed.
  using stamp = std::tuple<vm_id, node_id, wall_time>;
  using handover_key = std::pair<vm_id, epoch>;
  struct pause {
    std::optional<mono_time> begin;
    std::optional<mono_time> end;
  };

  void note_mark(const pause_mark& mark);
  void check(const migration_ended& ended);
  std::optional<mono_time> moment_of(const pause_mark& mark) const;

  const event_queue& world_;
  const host_clocks& clocks_;
  std::shared_ptr<trace_sink> next_;
  accuser accuse_;
  std::map<stamp, mono_time> stops_;
  std::map<stamp, mono_time> resumes_;
  std::map<handover_key, pause> pauses_;
  std::uint64_t checked_ = 0;
};

} // namespace drover
