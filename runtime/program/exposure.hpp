// What a command shows of its trace to others: series over HTTP and in a file. Rule: opened before
// anything is touched; several runs of one command count into the same series, so that none of them
// looks like a restart.
#pragma once

#include "metrics/exposer.hpp"
#include "metrics/metrics_file.hpp"
#include "metrics/recorder.hpp"
#include "runtime/base/error.hpp"
#include "runtime/program/interrupts.hpp"
#include "runtime/program/options.hpp"

#include <memory>
#include <string>

namespace drover {

class exposure {
public:
  /// Null where nothing is to be shown.
  static result<std::shared_ptr<exposure>> open(const exposure_options& wanted);

  std::shared_ptr<trace_sink> sink() const { return sinks_; }
  /// "http://127.0.0.1:9187"; empty when nothing is served.
  std::string url() const;

  /// Writes the file's last state; what was served goes away with the object.
  result<done> close();
  /// The same, after serving for the linger time: Prometheus looks every 15 s or so and would miss
  /// what a short run counted. A signal, also one that came before, ends that.
  result<done> close(interrupts& signals);

private:
  exposure() = default;

  nanoseconds linger_{0};
  std::shared_ptr<prometheus::Registry> registry_;
  std::shared_ptr<trace_fan> sinks_ = std::make_shared<trace_fan>();
  std::unique_ptr<metrics_exposer> exposer_;
  std::unique_ptr<metrics_file> file_;
};

} // namespace drover
