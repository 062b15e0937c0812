#include "runtime/store/log_file.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace drover {
namespace {

/// Closes what was opened.
class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;

  int get() const { return fd_; }

private:
  int fd_;
};

} // namespace

file_calls::outcome<std::string> log_file::read_from(std::uint64_t offset) const {
  const descriptor input(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  if (input.get() < 0) {
    if (errno == ENOENT)
      return std::string{};
    return tl::unexpected(errno);
  }
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto got =
      ::pread(input.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset + text.size()));
    if (got < 0 && errno != EINTR)
      return tl::unexpected(errno);
    if (got == 0)
      break;
    if (got > 0)
      text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  // What is behind the last newline is not whole yet, or never will be.
  text.resize(text.rfind('\n') + 1);
  return text;
}

file_calls::status log_file::append_at(std::uint64_t offset, std::string_view line) const {
  const descriptor output(::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  const auto end = static_cast<off_t>(offset);
  if (output.get() < 0 || ::ftruncate(output.get(), end) != 0)
    return errno;
  std::size_t written = 0;
  while (written < line.size()) {
    const auto count = ::pwrite(
      output.get(), line.data() + written, line.size() - written,
      end + static_cast<off_t>(written));
    if (count < 0 && errno != EINTR) {
      const auto failure = errno;
      // Half a line is no line.
      (void)!::ftruncate(output.get(), end);
      return failure;
    }
    if (count > 0)
      written += static_cast<std::size_t>(count);
  }
  return 0;
}

} // namespace drover
