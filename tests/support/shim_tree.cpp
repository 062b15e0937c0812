#include "tests/support/shim_tree.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace drover::testing {
namespace {

using path = std::filesystem::path;

constexpr off_t longest_file = off_t{1} << 20;
constexpr std::array<const char*, 3> guest_types{"qemu-server", "lxc", "openvz"};

int status_of(int returned) { return returned == 0 ? 0 : errno; }

/// "/nodes/n1/qemu-server/100.conf" -> n1, 100; empty for anything else.
struct config_name {
  std::string node;
  std::string number;
};

config_name config_of(const path& name) {
  std::vector<std::string> parts;
  for (const auto& part : name.relative_path())
    parts.push_back(part.string());
  if (parts.size() != 4 || parts[0] != "nodes" || !parts[3].ends_with(".conf"))
    return {};
  if (std::find(guest_types.begin(), guest_types.end(), parts[2]) == guest_types.end())
    return {};
  const auto number = parts[3].substr(0, parts[3].size() - 5);
  const bool is_number =
    !number.empty() && number.front() != '0' &&
    std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? config_name{parts[1], number} : config_name{};
}

bool is_lock(const path& name) { return name.parent_path() == "/priv/lock"; }

/// Closes itself.
struct file {
  explicit file(int fd) : number(fd) {}
  ~file() {
    if (number >= 0)
      ::close(number);
  }
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  const int number;
};

} // namespace

bool shim_tree::is_move(const path& from, const path& to) {
  const auto old_place = config_of(from);
  const auto new_place = config_of(to);
  return !old_place.node.empty() && !new_place.node.empty() && old_place.node != new_place.node;
}

/// A number has one config, whatever the node and the type.
bool shim_tree::is_used_elsewhere(const path& name, const path& except) const {
  const auto wanted = config_of(name);
  if (wanted.number.empty())
    return false;
  std::error_code failed;
  for (const auto& node : std::filesystem::directory_iterator(files_ / "nodes", failed))
    for (const char* type : guest_types) {
      const auto place = node.path() / type / (wanted.number + ".conf");
      if (place != at(name) && place != at(except) && ::access(place.c_str(), F_OK) == 0)
        return true;
    }
  return false;
}

void shim_tree::leave_ghost(const path& name, std::chrono::milliseconds stale) {
  ghost left{};
  if (stale.count() > 0 && ::lstat(at(name).c_str(), &left.facts) == 0) {
    left.until = clock::now() + stale;
    ghosts_[name] = left;
  }
}

int shim_tree::status(const path& name, struct stat& facts) {
  const std::lock_guard guard(mutex_);
  if (::lstat(at(name).c_str(), &facts) == 0) {
    ghosts_.erase(name);
    return 0;
  }
  const auto left = ghosts_.find(name);
  if (left == ghosts_.end() || left->second.until < clock::now())
    return errno;
  facts = left->second.facts;
  return 0;
}

int shim_tree::names_in(const path& name, std::vector<std::string>& names) {
  const std::lock_guard guard(mutex_);
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(at(name).c_str()), ::closedir);
  if (!handle)
    return errno;
  while (const dirent* entry = ::readdir(handle.get()))
    names.emplace_back(entry->d_name);
  return 0;
}

int shim_tree::read(
  const path& name, char* into, std::size_t size, off_t offset, std::size_t& got) {
  const std::lock_guard guard(mutex_);
  const file input(::open(at(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (input.number < 0)
    return errno;
  const auto n = ::pread(input.number, into, size, offset);
  if (n < 0)
    return errno;
  got = static_cast<std::size_t>(n);
  return 0;
}

int shim_tree::open(const path& name) const {
  const file input(::open(at(name).c_str(), O_RDONLY | O_CLOEXEC));
  return input.number < 0 ? errno : 0;
}

int shim_tree::create(const path& name) {
  const std::lock_guard guard(mutex_);
  if (is_lock(name.parent_path()))
    return EACCES;
  if (is_used_elsewhere(name, name))
    return EEXIST;
  const file made(::open(at(name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  return made.number < 0 ? errno : 0;
}

int shim_tree::write(const path& name, std::string_view text, off_t offset) {
  const std::lock_guard guard(mutex_);
  if (is_used_elsewhere(name, name))
    return EEXIST;
  if (offset + static_cast<off_t>(text.size()) > longest_file)
    return EFBIG;
  const file output(::open(at(name).c_str(), O_WRONLY | O_CLOEXEC));
  if (output.number < 0)
    return errno;
  const auto n = ::pwrite(output.number, text.data(), text.size(), offset);
  if (n < 0)
    return errno;
  return static_cast<std::size_t>(n) == text.size() ? 0 : EIO;
}

int shim_tree::truncate(const path& name, off_t size) {
  const std::lock_guard guard(mutex_);
  return size > longest_file ? EFBIG : status_of(::truncate(at(name).c_str(), size));
}

int shim_tree::make_directory(const path& name, const std::string& node) {
  const std::lock_guard guard(mutex_);
  const auto made = status_of(::mkdir(at(name).c_str(), 0755));
  if (made == 0 && is_lock(name))
    locks_[name] = {node, clock::now()};
  return made;
}

int shim_tree::remove(const path& name, std::chrono::milliseconds stale) {
  const std::lock_guard guard(mutex_);
  leave_ghost(name, stale);
  return status_of(::unlink(at(name).c_str()));
}

int shim_tree::remove_directory(const path& name) {
  const std::lock_guard guard(mutex_);
  locks_.erase(name);
  return status_of(::rmdir(at(name).c_str()));
}

int shim_tree::rename(const path& from, const path& to, std::chrono::milliseconds stale) {
  const std::lock_guard guard(mutex_);
  if (is_lock(from) || is_lock(to))
    return EACCES;
  if (is_used_elsewhere(to, config_of(from).number == config_of(to).number ? from : to))
    return EEXIST;
  if (is_move(from, to))
    leave_ghost(from, stale);
  return status_of(::rename(at(from).c_str(), at(to).c_str()));
}

int shim_tree::set_times(const path& name, bool to_zero, const std::string& node) {
  const std::lock_guard guard(mutex_);
  if (is_lock(name)) {
    const auto held = locks_.find(name);
    const bool old = held != locks_.end() && clock::now() - held->second.renewed >= lock_expiry_;
    if (to_zero && old) {
      locks_.erase(name);
      ::rmdir(at(name).c_str());
    }
    // Asking for the end of a lock is never answered otherwise, and only its maker may renew it.
    if (to_zero || (held != locks_.end() && held->second.node != node))
      return EACCES;
    if (held != locks_.end())
      held->second.renewed = clock::now();
  }
  return status_of(::utimensat(AT_FDCWD, at(name).c_str(), nullptr, 0));
}

void shim_tree::remember() {
  const std::lock_guard guard(mutex_);
  path kept = files_;
  kept += ".kept";
  std::filesystem::remove_all(kept);
  std::filesystem::copy(files_, kept, std::filesystem::copy_options::recursive);
}

void shim_tree::roll_back() {
  const std::lock_guard guard(mutex_);
  path kept = files_;
  kept += ".kept";
  for (const auto& entry : std::filesystem::directory_iterator(files_))
    std::filesystem::remove_all(entry.path());
  std::filesystem::copy(kept, files_, std::filesystem::copy_options::recursive);
}

} // namespace drover::testing
