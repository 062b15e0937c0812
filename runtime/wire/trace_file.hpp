// A trace sink that writes NDJSON to a file. Rule: `take` only fills a buffer, so that it never
// waits for the disk; a thread of its own writes once a second, and `close` writes the rest.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/trace.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace drover::wire {

class trace_file final : public trace_sink {
public:
  /// Beyond this much unwritten text events are counted instead of kept: the disk stands still.
  static constexpr std::size_t buffered_bytes_max = 64 * 1024 * 1024;

  /// Creates or empties `path`.
  static result<std::shared_ptr<trace_file>> open(const std::string& path);

  trace_file(const trace_file&) = delete;
  trace_file& operator=(const trace_file&) = delete;
  ~trace_file() override;

  void take(const trace_event& event) override;
  /// Writes what is left; an error when anything was not written. Events after it are lost.
  result<done> close();

private:
  explicit trace_file(std::FILE* file, std::string path);
  void write_until_closed();

  std::FILE* file_;
  std::string path_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string buffer_;
  std::uint64_t lost_ = 0;
  std::string failure_; ///< of the first write that failed
  bool closing_ = false;
  std::thread writer_;
};

} // namespace drover::wire
