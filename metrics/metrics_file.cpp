#include "metrics/metrics_file.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace drover {

result<std::unique_ptr<metrics_file>> metrics_file::open(
  const std::string& path, std::function<std::string()> text, unsigned interval_s) {
  if (std::filesystem::path{path}.extension() != ".prom")
    return fail(
      errc::invalid,
      "the name of a metrics file must end with .prom: the textfile collector reads no other",
      path);
  std::unique_ptr<metrics_file> file{new metrics_file{path, std::move(text), interval_s}};
  if (auto first = file->write(); !first)
    return tl::unexpected(first.error());
  file->writer_ = std::thread{[raw = file.get()] { raw->write_until_closed(); }};
  return file;
}

metrics_file::metrics_file(std::string path, std::function<std::string()> text, unsigned interval_s)
  : path_(std::move(path)), text_(std::move(text)), interval_s_(interval_s) {}

metrics_file::~metrics_file() { close(); }

result<done> metrics_file::close() {
  if (!writer_.joinable())
    return worst_;
  {
    const std::lock_guard guard{mutex_};
    closing_ = true;
  }
  wake_.notify_one();
  writer_.join();
  if (auto last = write(); !last)
    worst_ = last;
  return worst_;
}

void metrics_file::write_until_closed() {
  std::unique_lock guard{mutex_};
  while (!wake_.wait_for(guard, std::chrono::seconds{interval_s_}, [this] { return closing_; })) {
    guard.unlock();
    auto written = write();
    guard.lock();
    if (!written && worst_)
      worst_ = written;
  }
}

result<done> metrics_file::write() const {
  // In the same directory, because a rename does not cross file systems; the collector reads no
  // other ending.
  const auto beside = path_ + ".part";
  std::ofstream out{beside, std::ios::binary | std::ios::trunc};
  out << text_();
  out.close();
  if (!out)
    return fail(errc::invalid, "the metrics file cannot be written", beside);
  std::error_code problem;
  std::filesystem::rename(beside, path_, problem);
  if (problem) {
    const auto why = problem.message();
    std::filesystem::remove(beside, problem);
    return fail(errc::invalid, "the metrics file cannot be put in its place: " + why, path_);
  }
  return done{};
}

} // namespace drover
