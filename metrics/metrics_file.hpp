// The series as a file in text format, for the textfile collector of Prometheus' node exporter, so
// that what a short run counted outlives the run. Rule: a reader never sees half a file: each state
// is written beside it and renamed over it.
#pragma once

#include "runtime/base/error.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace drover {

class metrics_file {
public:
  /// Writes what `text` tells now, every `interval_s` seconds and at `close`. `invalid` where the
  /// name does not end with ".prom", which is what the collector reads, or nothing can be written
  /// there. `text` is called from a thread of this object.
  static result<std::unique_ptr<metrics_file>> open(
    const std::string& path, std::function<std::string()> text, unsigned interval_s = 5);

  metrics_file(const metrics_file&) = delete;
  metrics_file& operator=(const metrics_file&) = delete;
  ~metrics_file();

  /// Writes the last state; the file stays. Tells the first write that failed.
  result<done> close();

private:
  metrics_file(std::string path, std::function<std::string()> text, unsigned interval_s);
  result<done> write() const;
  void write_until_closed();

  std::string path_;
  std::function<std::string()> text_;
  unsigned interval_s_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool closing_ = false;
  result<done> worst_ = done{};
  std::thread writer_;
};

} // namespace drover
