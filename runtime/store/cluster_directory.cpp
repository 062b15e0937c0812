#include "runtime/store/cluster_directory.hpp"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <string_view>
#include <unistd.h>

namespace drover {
namespace {

using file_calls::status;

constexpr std::string_view temporary_mark = ".tmp.";

/// A name that no other writer uses: hosts have their names, other processes of a host another pid,
/// other threads another count.
std::string temporary_suffix(const std::string& writer) {
  static std::atomic<std::uint64_t> count{0};
  return std::string{temporary_mark} + writer + std::to_string(::getpid()) + "." +
         std::to_string(++count);
}

/// Of a file that `writer` was about to rename; nullopt for all others.
std::optional<pid_t> writing_process(std::string_view name, const std::string& writer) {
  const auto mark = name.rfind(std::string{temporary_mark} + writer);
  if (writer.empty() || mark == std::string_view::npos)
    return std::nullopt;
  name.remove_prefix(mark + temporary_mark.size() + writer.size());
  pid_t pid = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (problem != std::errc{} || end == name.data() + name.size() || *end != '.' || pid <= 0)
    return std::nullopt;
  return pid;
}

} // namespace

result<cluster_directory> cluster_directory::open(
  const path& root, std::optional<directory_kind> kind) {
  const auto assumed = kind.value_or(directory_kind::plain);
  const file_call call(assumed, file_access::read, "open the cluster directory");
  auto fuse = file_calls::is_fuse(root);
  if (!fuse && fuse.error() == ENOENT) {
    if (const auto failed = file_calls::make_directory(root); failed != 0 && failed != EEXIST)
      return call.failure(
        errc::invalid,
        failed == ENOENT ? "its parent directory does not exist" : "it does not exist", root);
    fuse = file_calls::is_fuse(root);
  }
  if (!fuse)
    return call.failure(fuse.error(), root);
  // Names in it are looked up as in a directory; a file in its place is found here already.
  if (const auto names = file_calls::names_in(root); !names)
    return call.failure(names.error(), root);
  if (!kind && !*fuse && root.lexically_normal() == "/etc/pve")
    return call.failure(errc::retry, "pmxcfs is not mounted", root);
  const auto found = *fuse ? directory_kind::replicated : directory_kind::plain;
  return cluster_directory(root, kind.value_or(found), *fuse);
}

cluster_directory::path cluster_directory::configs(const node_id& node, const char* type) const {
  return nodes() / node.value / type;
}

cluster_directory::path cluster_directory::config(
  vm_id vm, const node_id& node, const char* type) const {
  return configs(node, type) / (to_string(vm) + ".conf");
}

cluster_directory::path cluster_directory::record(vm_id vm) const {
  return records() / (to_string(vm) + ".json");
}

cluster_directory::path cluster_directory::holder(const std::string& name) const {
  return holders() / (name + ".json");
}

status cluster_directory::make_parents(const path& file) const {
  // When a pmxcfs is unmounted, its mount point is an empty plain directory: nothing may be made
  // there, it would be hidden by the next mount.
  if (was_mounted_) {
    const auto is_mounted = file_calls::is_fuse(root_);
    if (!is_mounted)
      return is_mounted.error();
    if (!*is_mounted)
      return ENOTCONN;
  }
  auto made = root_;
  for (const auto& part : file.parent_path().lexically_relative(root_)) {
    made /= part;
    if (const auto failed = file_calls::make_directory(made); failed != 0 && failed != EEXIST)
      return failed;
  }
  return 0;
}

file_calls::outcome<cluster_directory::path> cluster_directory::write_beside(
  const path& file, const std::string& text, file_calls::durability wanted) const {
  path temporary = file;
  temporary += temporary_suffix(writer_);
  // A pmxcfs has committed to its database when write returns, and fsync sends nothing there.
  const auto how = kind_ == directory_kind::plain ? wanted : file_calls::durability::unsynced;
  auto failed = file_calls::write_new(temporary, text, how);
  if (failed == ENOENT) {
    failed = make_parents(file);
    if (failed == 0)
      failed = file_calls::write_new(temporary, text, how);
  }
  if (failed != 0)
    return tl::unexpected(failed);
  return temporary;
}

status cluster_directory::replace(const path& file, const std::string& text) const {
  const auto temporary = write_beside(file, text, file_calls::durability::unsynced);
  if (!temporary)
    return temporary.error();
  const auto failed = file_calls::rename_file(*temporary, file, file_calls::replacing::allowed);
  if (failed != 0)
    file_calls::unlink_file(*temporary);
  return failed;
}

void cluster_directory::remove_unfinished(const std::vector<path>& directories) const {
  for (const auto& directory : directories)
    for (const auto& name : file_calls::names_in(directory).value_or(std::vector<std::string>{})) {
      const auto pid = writing_process(name, writer_);
      if (pid && ::kill(*pid, 0) != 0 && errno == ESRCH)
        file_calls::unlink_file(directory / name);
    }
}

status cluster_directory::pass_barrier(const node_id& node) const {
  const auto file = barrier(node);
  const auto failed = file_calls::touch(file);
  if (failed != ENOENT)
    return failed;
  if (const auto made = file_calls::make_file(file); made != ENOENT)
    return made;
  const auto made = make_parents(file);
  return made != 0 ? made : file_calls::make_file(file);
}

writers_guard::writers_guard(const cluster_directory& directory) {
  if (directory.kind() == directory_kind::replicated)
    return;
  lock_.emplace(directory.guard());
  failure_ = lock_->failure();
  if (failure_ != ENOENT)
    return;
  failure_ = directory.make_parents(directory.guard());
  if (failure_ != 0)
    return;
  lock_.emplace(directory.guard());
  failure_ = lock_->failure();
}

} // namespace drover
