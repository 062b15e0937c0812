// The files of a mounted store, in an ordinary directory, with what a pmxcfs checks and refuses.
// Rule: calls return 0 or errno and are made one after the other, as a pmxcfs orders its writes; it
// gives no more than a pmxcfs does, so what runs on it needs no more.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace drover::testing {

class shim_tree {
public:
  using path = std::filesystem::path;

  /// `lock_expiry`: how long a lock lives that is not renewed; a pmxcfs has 120 s.
  shim_tree(path files, std::chrono::milliseconds lock_expiry)
    : files_(std::move(files)), lock_expiry_(lock_expiry) {}

  // Paths are those of the mount: "/nodes/n1/qemu-server/100.conf".
  int status(const path& name, struct stat& facts);
  int names_in(const path& name, std::vector<std::string>& names);
  int read(const path& name, char* into, std::size_t size, off_t offset, std::size_t& got);
  int open(const path& name) const;
  int create(const path& name);
  int write(const path& name, std::string_view text, off_t offset);
  int truncate(const path& name, off_t size);
  int make_directory(const path& name, const std::string& node);
  int remove(const path& name, std::chrono::milliseconds stale);
  int remove_directory(const path& name);
  int rename(const path& from, const path& to, std::chrono::milliseconds stale);
  int set_times(const path& name, bool to_zero, const std::string& node);

  void remember();
  void roll_back();

  /// Whether both are configs, of different nodes.
  static bool is_move(const path& from, const path& to);

private:
  using clock = std::chrono::steady_clock;
  struct ghost {
    struct stat facts;
    clock::time_point until;
  };
  struct held_lock {
    std::string node;
    clock::time_point renewed;
  };

  path at(const path& name) const { return files_ / name.relative_path(); }
  bool is_used_elsewhere(const path& name, const path& except) const;
  void leave_ghost(const path& name, std::chrono::milliseconds stale);

  const path files_;
  const std::chrono::milliseconds lock_expiry_;
  std::mutex mutex_;
  std::map<path, ghost> ghosts_;
  std::map<path, held_lock> locks_;
};

} // namespace drover::testing
