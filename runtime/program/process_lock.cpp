#include "runtime/program/process_lock.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace drover {
namespace {

std::string text_in(int fd) {
  std::array<char, 4096> text{};
  const auto n = ::pread(fd, text.data(), text.size(), 0);
  return n > 0 ? std::string{text.data(), static_cast<std::size_t>(n)} : std::string{};
}

} // namespace

result<process_lock> process_lock::take(
  const std::filesystem::path& file, const std::string& text) {
  std::error_code problem;
  std::filesystem::create_directories(file.parent_path(), problem);
  unique_fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd)
    return fail(
      errc::refused, std::string{"the lock cannot be made: "} + std::strerror(errno),
      file.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(errc::conflict, "another process has it", text_in(fd.get()));
  process_lock lock{std::move(fd)};
  lock.sign(text);
  return lock;
}

std::optional<std::string> process_lock::holder(const std::filesystem::path& file) {
  const unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  // Shared, so that two who only look do not meet each other.
  if (!fd || ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0)
    return std::nullopt;
  return text_in(fd.get());
}

process_lock::~process_lock() {
  if (fd_)
    sign({});
}

void process_lock::sign(const std::string& text) {
  if (::ftruncate(fd_.get(), 0) == 0)
    static_cast<void>(::pwrite(fd_.get(), text.data(), text.size(), 0));
}

} // namespace drover
