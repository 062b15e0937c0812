// The few file calls that the pmxcfs driver makes, with errno as a value. Rule: a look is an open,
// never a stat, because the kernel keeps a stat of a mounted pmxcfs for a second; any of these can
// hang there, so only the driver's own thread makes them.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace drover::file_calls {

using std::filesystem::path;

/// A value, or errno.
template <class T>
using outcome = tl::expected<T, int>;

/// 0, or errno.
using status = int;

/// Whether a new file's bytes must be on the disk before it gets its name.
enum class durability { synced, unsynced };

/// Whether a rename may replace what is there.
enum class replacing { allowed, forbidden };

outcome<std::string> read_all(const path& file);
/// True when the file can be opened, false when it is not there.
outcome<bool> is_there(const path& file);
/// Names in a directory but `.` and `..`, sorted.
outcome<std::vector<std::string>> names_in(const path& directory);

/// Makes the file (EEXIST when it is there) and writes the text; a file that could not be written
/// whole is unlinked again.
status write_new(const path& file, std::string_view text, durability how);
/// `forbidden` gives EINVAL or ENOSYS where the file system cannot promise it, as FUSE does.
status rename_file(const path& from, const path& to, replacing how);
status unlink_file(const path& file);
status make_directory(const path& directory);
status remove_directory(const path& directory);
/// Sets both times to now.
status touch(const path& file);
/// Sets both times to zero: how a pmxcfs is asked to drop a lock that has expired.
status reset_times(const path& file);
/// Makes an empty file if it is not there.
status make_file(const path& file);
/// Nanoseconds since 1970; the only stat, for the age of locks.
outcome<std::chrono::nanoseconds> modified(const path& file);
/// True when the path lies on a FUSE file system.
outcome<bool> is_fuse(const path& directory);

/// Whether a lock that somebody holds is waited for, or refused with EWOULDBLOCK.
enum class waiting { allowed, forbidden };

/// Holds flock(2) on a file while it lives; a failed lock holds nothing.
class exclusive_lock {
public:
  explicit exclusive_lock(const path& file, waiting how = waiting::allowed);
  ~exclusive_lock();
  exclusive_lock(const exclusive_lock&) = delete;
  exclusive_lock& operator=(const exclusive_lock&) = delete;

  status failure() const { return failure_; }

private:
  int fd_ = -1;
  status failure_ = 0;
};

} // namespace drover::file_calls
