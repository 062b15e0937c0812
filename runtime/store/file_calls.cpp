#include "runtime/store/file_calls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

namespace drover::file_calls {
namespace {

/// Modes of a pmxcfs: it accepts no others.
constexpr mode_t file_mode = 0640;
constexpr mode_t directory_mode = 0755;

/// A file descriptor that closes itself.
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
  /// Closes now, to learn of an error.
  status close() {
    const int fd = std::exchange(fd_, -1);
    return ::close(fd) == 0 ? 0 : errno;
  }

private:
  int fd_;
};

status status_of(int returned) { return returned == 0 ? 0 : errno; }

status write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR)
      return errno;
    if (written > 0)
      text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

} // namespace

outcome<std::string> read_all(const path& file) {
  const descriptor input(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (input.get() < 0)
    return tl::unexpected(errno);
  std::string text;
  std::array<char, 16384> buffer{};
  for (;;) {
    const auto got = ::read(input.get(), buffer.data(), buffer.size());
    if (got < 0 && errno != EINTR)
      return tl::unexpected(errno);
    if (got == 0)
      return text;
    if (got > 0)
      text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

outcome<bool> is_there(const path& file) {
  const descriptor input(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (input.get() >= 0)
    return true;
  if (errno == ENOENT || errno == ENOTDIR)
    return false;
  return tl::unexpected(errno);
}

outcome<std::vector<std::string>> names_in(const path& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), ::closedir);
  if (!handle)
    return tl::unexpected(errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(handle.get());
    if (entry == nullptr)
      break;
    const std::string name(entry->d_name);
    if (name != "." && name != "..")
      names.push_back(name);
  }
  if (errno != 0)
    return tl::unexpected(errno);
  std::sort(names.begin(), names.end());
  return names;
}

status write_new(const path& file, std::string_view text, durability how) {
  descriptor output(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file_mode));
  if (output.get() < 0)
    return errno;
  auto failed = write_whole(output.get(), text);
  if (failed == 0 && how == durability::synced)
    failed = status_of(::fdatasync(output.get()));
  if (const auto closed = output.close(); failed == 0)
    failed = closed;
  if (failed != 0)
    ::unlink(file.c_str());
  return failed;
}

status rename_file(const path& from, const path& to, replacing how) {
  if (how == replacing::allowed)
    return status_of(::rename(from.c_str(), to.c_str()));
  return status_of(::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE));
}

status unlink_file(const path& file) { return status_of(::unlink(file.c_str())); }

status make_directory(const path& directory) {
  return status_of(::mkdir(directory.c_str(), directory_mode));
}

status remove_directory(const path& directory) { return status_of(::rmdir(directory.c_str())); }

status touch(const path& file) {
  return status_of(::utimensat(AT_FDCWD, file.c_str(), nullptr, 0));
}

status reset_times(const path& file) {
  const std::array<timespec, 2> zero{};
  return status_of(::utimensat(AT_FDCWD, file.c_str(), zero.data(), 0));
}

status make_file(const path& file) {
  descriptor output(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, file_mode));
  return output.get() < 0 ? errno : output.close();
}

outcome<std::chrono::nanoseconds> modified(const path& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0)
    return tl::unexpected(errno);
  return std::chrono::seconds(facts.st_mtim.tv_sec) +
         std::chrono::nanoseconds(facts.st_mtim.tv_nsec);
}

outcome<bool> is_fuse(const path& directory) {
  struct statfs facts {};
  if (::statfs(directory.c_str(), &facts) != 0)
    return tl::unexpected(errno);
  return facts.f_type == FUSE_SUPER_MAGIC;
}

exclusive_lock::exclusive_lock(const path& file, waiting how)
  : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, file_mode)) {
  if (fd_ < 0) {
    failure_ = errno;
    return;
  }
  while (::flock(fd_, LOCK_EX | (how == waiting::forbidden ? LOCK_NB : 0)) != 0) {
    if (errno != EINTR) {
      failure_ = errno;
      return;
    }
  }
}

exclusive_lock::~exclusive_lock() {
  if (fd_ >= 0)
    ::close(fd_);
}

} // namespace drover::file_calls
