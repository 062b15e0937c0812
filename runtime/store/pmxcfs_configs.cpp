// The calls on VM configs: create, read, replace, remove, move.
#include "runtime/store/pmxcfs_files.hpp"
#include "runtime/store/store_checks.hpp"

#include <array>
#include <cerrno>

namespace drover {
namespace {

using file_calls::replacing;
using path = cluster_directory::path;

/// Proxmox's kinds of guests; they share one range of numbers.
constexpr std::array<const char*, 3> guest_types{"qemu-server", "lxc", "openvz"};

/// Says `before` still; `file` is read by opening it, as a place is.
result<done> still_says(
  const file_call& call, const path& file, const node_id& node, const std::string& before) {
  const auto there = file_calls::read_all(file);
  if (!there && there.error() == ENOENT)
    return call.failure(errc::conflict, node.value + " does not hold it", file);
  if (!there)
    return call.failure(there.error(), file);
  if (*there != before)
    return call.failure(errc::conflict, std::string{changed_meanwhile}, file);
  return done{};
}

} // namespace

result<std::string> pmxcfs_files::read_config(vm_id vm, const node_id& node) const {
  const auto call = begin(file_access::read, "read the config of VM " + to_string(vm));
  const auto file = directory_.config(vm, node);
  if (!is_node_name(node))
    return call.failure(errc::invalid, "a node's name is no path", file);
  auto text = file_calls::read_all(file);
  if (!text && text.error() == ENOENT)
    return call.failure(errc::conflict, node.value + " does not hold it", file);
  if (!text)
    return call.failure(text.error(), file);
  // Others create a config in two steps, first empty; taken as it is it would mean a VM of
  // defaults, without disks.
  if (text->empty())
    return call.failure(errc::retry, "it is empty, somebody is writing it", file);
  return std::move(*text);
}

result<done> pmxcfs_files::refuse_used_number(const file_call& call, vm_id vm) const {
  const auto nodes = node_names();
  if (!nodes)
    return call.failure(nodes.error(), directory_.nodes());
  for (const auto& node : *nodes) {
    for (const char* type : guest_types) {
      const auto file = directory_.config(vm, node, type);
      const auto there = file_calls::is_there(file);
      if (!there)
        return call.failure(there.error(), file);
      if (*there)
        return call.failure(errc::conflict, "the number is used on " + node.value, file);
    }
  }
  return done{};
}

result<done> pmxcfs_files::create_config(
  vm_id vm, const node_id& node, const std::string& text) const {
  const auto call = begin(file_access::write, "create VM " + to_string(vm));
  const auto file = directory_.config(vm, node);
  if (const auto wrong = config_objection(vm, node, text); !wrong.empty())
    return call.failure(errc::invalid, wrong, file);
  return directory_.kind() == directory_kind::plain ? create_plain(call, file, text, vm)
                                                    : create_replicated(call, file, text);
}

result<done> pmxcfs_files::create_plain(
  const file_call& call, const path& file, const std::string& text, vm_id vm) const {
  const auto temporary = directory_.write_beside(file, text);
  if (!temporary)
    return call.failure(temporary.error(), file);
  const writers_guard guard(directory_);
  auto outcome = guard.failure() != 0 ? call.failure(guard.failure(), directory_.guard())
                                      : refuse_used_number(call, vm);
  if (outcome) {
    if (const auto renamed = rename_into(*temporary, file); renamed != 0)
      outcome = call.failure(renamed, file);
  }
  if (!outcome)
    file_calls::unlink_file(*temporary);
  return outcome;
}

result<done> pmxcfs_files::create_replicated(
  const file_call& call, const path& file, const std::string& text) const {
  // A rename would silently replace a config of that number on the same node; the exclusive create
  // is checked against all nodes, in total order. Readers may see the file empty for a moment.
  auto failed = file_calls::write_new(file, text, file_calls::durability::unsynced);
  if (failed == ENOENT) {
    failed = directory_.make_parents(file);
    if (failed == 0)
      failed = file_calls::write_new(file, text, file_calls::durability::unsynced);
  }
  if (failed == EEXIST)
    return call.failure(errc::conflict, "the number is used", file);
  if (failed != 0)
    return call.failure(failed, file);
  return done{};
}

result<done> pmxcfs_files::write_config(
  vm_id vm, const node_id& node, const config_edit& edit) const {
  const auto call = begin(file_access::write, "write the config of VM " + to_string(vm));
  const auto file = directory_.config(vm, node);
  if (const auto wrong = config_objection(vm, node, edit.after); !wrong.empty())
    return call.failure(errc::invalid, wrong, file);
  // Proxmox's tools hold this lock from their look at a config to their write of it, so that with
  // it the look and the write here are one step for them too. They may hold it for a whole task,
  // which is too long to be waited for on the store's thread.
  const auto lock = tool_locks_ / ("lock-" + to_string(vm) + ".conf");
  const file_calls::exclusive_lock held(lock, file_calls::waiting::forbidden);
  if (held.failure() == EWOULDBLOCK)
    return call.failure(errc::retry, "one of Proxmox's tools works on it", lock);
  if (held.failure() != 0 && held.failure() != ENOENT)
    return call.failure(held.failure(), lock);
  return replace_config(call, file, node, edit);
}

result<done> pmxcfs_files::replace_config(
  const file_call& call, const path& file, const node_id& node, const config_edit& edit) const {
  if (auto looked = still_says(call, file, node, edit.before); !looked)
    return looked;
  const auto temporary = directory_.write_beside(file, edit.after);
  if (!temporary)
    return call.failure(temporary.error(), file);
  const writers_guard guard(directory_);
  auto outcome = guard.failure() != 0 ? call.failure(guard.failure(), directory_.guard())
                                      : still_says(call, file, node, edit.before);
  if (outcome) {
    // A pmxcfs answers EEXIST when the VM has moved to another node meanwhile.
    const auto renamed = file_calls::rename_file(*temporary, file, replacing::allowed);
    if (renamed != 0)
      outcome = call.failure(renamed, file);
  }
  if (!outcome)
    file_calls::unlink_file(*temporary);
  return outcome;
}

result<done> pmxcfs_files::remove_config(vm_id vm, const node_id& node) const {
  const auto call = begin(file_access::write, "remove VM " + to_string(vm));
  const auto file = directory_.config(vm, node);
  if (!is_node_name(node))
    return call.failure(errc::invalid, "a node's name is no path", file);
  const writers_guard guard(directory_);
  if (guard.failure() != 0)
    return call.failure(guard.failure(), directory_.guard());
  const auto failed = file_calls::unlink_file(file);
  if (failed == ENOENT)
    return call.failure(errc::conflict, node.value + " does not hold it", file);
  if (failed != 0)
    return call.failure(failed, file);
  return done{};
}

file_calls::status pmxcfs_files::rename_into(const path& from, const path& to) const {
  if (directory_.kind() == directory_kind::plain) {
    const auto failed = file_calls::rename_file(from, to, replacing::forbidden);
    if (failed != EINVAL && failed != ENOSYS)
      return failed;
  }
  return file_calls::rename_file(from, to, replacing::allowed);
}

result<done> pmxcfs_files::move_config(vm_id vm, const node_id& from, const node_id& to) const {
  const auto call = begin(
    file_access::write, "move VM " + to_string(vm) + " from " + from.value + " to " + to.value);
  const auto source = directory_.config(vm, from);
  const auto target = directory_.config(vm, to);
  if (!is_node_name(from) || !is_node_name(to) || from == to)
    return call.failure(errc::invalid, "a move needs two nodes", source);
  const writers_guard guard(directory_);
  if (guard.failure() != 0)
    return call.failure(guard.failure(), directory_.guard());
  // rename(2) replaces what is there without a word where the file system has no other.
  const auto occupied = file_calls::is_there(target);
  if (!occupied)
    return call.failure(occupied.error(), target);
  if (*occupied)
    return call.failure(errc::conflict, to.value + " holds it already", target);
  auto failed = rename_into(source, target);
  if (failed == ENOENT) {
    const auto held = file_calls::is_there(source);
    if (held && !*held)
      return call.failure(errc::conflict, from.value + " does not hold it", source);
    failed = directory_.make_parents(target);
    if (failed == 0)
      failed = rename_into(source, target);
  }
  if (failed != 0)
    return call.failure(failed, source);
  return done{};
}

} // namespace drover
