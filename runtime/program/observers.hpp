// Everything that reads the trace of one command: file, metrics, progress. Rule: opened before
// anything is touched, so that a bad path or address stops the command in time.
#pragma once

#include "metrics/exposer.hpp"
#include "metrics/recorder.hpp"
#include "runtime/base/error.hpp"
#include "runtime/program/progress.hpp"
#include "runtime/wire/trace_file.hpp"

#include <memory>
#include <string>

namespace drover {

class observers {
public:
  /// Empty `trace_path` or `metrics_address`: none of that.
  static result<std::unique_ptr<observers>> open(
    const std::string& trace_path, const std::string& metrics_address, progress_style style);

  std::shared_ptr<trace_fan> trace() const { return trace_; }
  progress_view& progress() { return *progress_; }
  /// "http://127.0.0.1:9187/metrics", empty when nothing is exposed.
  std::string metrics_url() const;
  /// Writes what is left; call it when the last event was taken.
  result<done> close();

private:
  observers() = default;

  std::shared_ptr<trace_fan> trace_ = std::make_shared<trace_fan>();
  std::shared_ptr<progress_view> progress_;
  std::shared_ptr<wire::trace_file> file_;
  std::shared_ptr<metrics_recorder> recorder_;
  std::unique_ptr<metrics_exposer> exposer_;
};

} // namespace drover
