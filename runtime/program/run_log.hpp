// One run as it is written down: in the journal while it lasts, as a report at its end, both under
// one id. Rule: a state directory that cannot be used costs one warning, and the run goes on.
#pragma once

#include "runtime/base/trace.hpp"
#include "runtime/journal/journal_writer.hpp"
#include "runtime/program/process_lock.hpp"
#include "runtime/program/run_result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace drover {

class run_log {
public:
  /// `state_dir` as on the command line.
  static std::unique_ptr<run_log> open(const std::string& state_dir);
  ~run_log();

  /// For the trace of the run; null where there is no journal.
  std::shared_ptr<trace_sink> sink() const { return writer_; }
  /// As in `surroundings`; empty where there is no journal.
  std::function<void(vm_id, std::function<void()>)> write_ahead() const;

  /// When it returns, the plan is on the disk. `what` is "evacuate-n1".
  void begin(const std::string& what, journal_run run, const std::vector<journal_vm>& vms);
  /// A run that the journal has already is carried out by this process from now on.
  void take_up(
    const std::string& id, const std::string& controller, const std::vector<journal_vm>& vms);
  /// Empty before `begin`.
  const std::string& id() const { return id_; }

  /// Waits for the disk; what fails was told of already.
  void note(journal_change change);

  /// Closes the run in the journal and keeps its report. Call it when the last event was taken.
  void end(const run_result& r, nlohmann::ordered_json report, wall_time now);

private:
  run_log() = default;
  void live_as(const std::string& controller);

  std::string state_dir_;
  std::shared_ptr<journal> journal_;
  std::shared_ptr<journal_writer> writer_;
  std::optional<process_lock> alive_;
  std::string id_;
};

/// The journal of a state directory, for reading; `invalid` where nothing was ever written.
result<std::shared_ptr<journal>> journal_in(const std::string& state_dir);

/// The file that is locked as long as the process that carries out `id` lives.
std::filesystem::path alive_file(const std::filesystem::path& state, const std::string& id);

} // namespace drover
