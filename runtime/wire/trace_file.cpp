#include "runtime/wire/trace_file.hpp"

#include "runtime/wire/trace_ndjson.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace drover::wire {
namespace {

constexpr std::chrono::seconds write_interval{1};
/// A busy trace is written earlier than the interval says.
constexpr std::size_t write_bytes = 1024 * 1024;

} // namespace

result<std::shared_ptr<trace_file>> trace_file::open(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (!file)
    return fail(
      errc::invalid, std::string("cannot write the trace: ") + std::strerror(errno), path);
  return std::shared_ptr<trace_file>(new trace_file(file, path));
}

trace_file::trace_file(std::FILE* file, std::string path) : file_(file), path_(std::move(path)) {
  writer_ = std::thread([this] { write_until_closed(); });
}

trace_file::~trace_file() { static_cast<void>(close()); }

void trace_file::take(const trace_event& event) {
  std::string line = to_ndjson(event);
  line += '\n';
  const std::lock_guard guard(mutex_);
  if (closing_ || buffer_.size() + line.size() > buffered_bytes_max) {
    ++lost_;
    return;
  }
  buffer_ += line;
  if (buffer_.size() > write_bytes)
    wake_.notify_one();
}

result<done> trace_file::close() {
  {
    const std::lock_guard guard(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  if (writer_.joinable())
    writer_.join();
  const std::lock_guard guard(mutex_);
  if (file_ && std::fclose(std::exchange(file_, nullptr)) != 0 && failure_.empty())
    failure_ = std::strerror(errno);
  if (!failure_.empty())
    return fail(errc::refused, "the trace is not complete: " + failure_, path_);
  if (lost_ > 0)
    return fail(errc::refused, "the trace lacks " + std::to_string(lost_) + " events", path_);
  return done{};
}

void trace_file::write_until_closed() {
  std::unique_lock guard(mutex_);
  for (;;) {
    wake_.wait_for(
      guard, write_interval, [this] { return closing_ || buffer_.size() > write_bytes; });
    const std::string text = std::exchange(buffer_, {});
    const bool last = closing_;
    guard.unlock();
    const bool written =
      std::fwrite(text.data(), 1, text.size(), file_) == text.size() && std::fflush(file_) == 0;
    const int reason = errno;
    guard.lock();
    if (!written && failure_.empty())
      failure_ = std::strerror(reason);
    if (last)
      return;
  }
}

} // namespace drover::wire
