#include "runtime/store/pmxcfs_files.hpp"

#include "runtime/store/record_json.hpp"
#include "runtime/store/store_checks.hpp"

#include <cerrno>
#include <charconv>
#include <utility>

namespace drover {
namespace {

using file_calls::replacing;
using path = cluster_directory::path;

/// "100.conf" with suffix ".conf" -> 100; other files lie beside the configs, such as those that
/// are being written.
std::optional<vm_id> number_in(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix) || name.front() < '1' || name.front() > '9')
    return std::nullopt;
  name.remove_suffix(suffix.size());
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), value);
  if (code != std::errc{} || end != name.data() + name.size())
    return std::nullopt;
  return vm_id{value};
}

} // namespace

result<pmxcfs_files> pmxcfs_files::open(const pmxcfs_options& options) {
  if (!is_node_name(options.node))
    return fail(
      errc::invalid, "a node's name has letters, digits, '-', '_' and '.'", options.node.value);
  auto directory = cluster_directory::open(options.directory, options.kind);
  if (!directory)
    return tl::unexpected(directory.error());
  directory->set_writer(options.node);
  return pmxcfs_files(std::move(*directory), options);
}

pmxcfs_files::pmxcfs_files(cluster_directory directory, const pmxcfs_options& options)
  : directory_(std::move(directory)), node_(options.node), tool_locks_(options.tool_locks),
    locks_(directory_, options.node, options.lock_expiry) {}

file_call pmxcfs_files::begin(file_access access, std::string what) const {
  return {directory_.kind(), access, std::move(what)};
}

// -- places --------------------------------------------------------------------------------------

file_calls::outcome<std::vector<node_id>> pmxcfs_files::node_names() const {
  const auto names = file_calls::names_in(directory_.nodes());
  if (!names && names.error() != ENOENT)
    return tl::unexpected(names.error());
  std::vector<node_id> nodes;
  for (const auto& name : names.value_or(std::vector<std::string>{}))
    if (is_node_name(node_id{name}))
      nodes.emplace_back(name);
  return nodes;
}

file_calls::outcome<pmxcfs_files::places> pmxcfs_files::scan() const {
  const auto nodes = node_names();
  if (!nodes)
    return tl::unexpected(nodes.error());
  places found;
  for (const auto& node : *nodes) {
    const auto names = file_calls::names_in(directory_.configs(node));
    if (!names && names.error() != ENOENT && names.error() != ENOTDIR)
      return tl::unexpected(names.error());
    for (const auto& name : names.value_or(std::vector<std::string>{}))
      if (const auto vm = number_in(name, ".conf"))
        found[*vm].insert(node);
  }
  return found;
}

result<std::map<vm_id, node_id>> pmxcfs_files::read_places() const {
  const auto call = begin(file_access::read, "read the places of all VMs");
  // One directory is read after the other, so a VM that moves meanwhile may be seen twice or not at
  // all. What two scans agree on is true; the rest is looked at one by one. What both of them miss
  // would be missed for good, so the writers of a plain directory are kept out of the second.
  const auto first = scan();
  const auto second = [&] {
    const writers_guard guard(directory_);
    return first ? scan() : first;
  }();
  if (!second)
    return call.failure(second.error(), directory_.nodes());
  std::map<vm_id, node_id> out;
  auto seen = *first;
  seen.insert(second->begin(), second->end());
  for (const auto& [vm, nodes] : seen) {
    const auto again = second->find(vm);
    if (again != second->end() && again->second == nodes && nodes.size() == 1) {
      out.emplace(vm, *nodes.begin());
      continue;
    }
    if (auto single = refuse_two_places(call, vm); !single)
      return tl::unexpected(single.error());
    const auto owner = read_owner(vm);
    if (!owner)
      return tl::unexpected(owner.error());
    if (*owner)
      out.emplace(vm, **owner);
  }
  return out;
}

result<done> pmxcfs_files::refuse_two_places(const file_call& call, vm_id vm) const {
  // A pmxcfs lets it never happen, and without a guard a VM that moves looks just like it.
  if (directory_.kind() == directory_kind::replicated)
    return done{};
  const writers_guard guard(directory_);
  const auto found = scan();
  if (!found)
    return call.failure(found.error(), directory_.nodes());
  const auto place = found->find(vm);
  if (place == found->end() || place->second.size() == 1)
    return done{};
  const auto& first = *place->second.begin();
  const auto& last = *place->second.rbegin();
  return call.failure(
    errc::invalid,
    "VM " + to_string(vm) + " has a config on " + first.value + " and on " + last.value,
    directory_.config(vm, last));
}

result<std::optional<node_id>> pmxcfs_files::read_owner(vm_id vm) const {
  const auto call = begin(file_access::read, "read the owner of VM " + to_string(vm));
  const auto sweep = [&]() -> result<std::optional<node_id>> {
    const auto nodes = node_names();
    if (!nodes)
      return call.failure(nodes.error(), directory_.nodes());
    for (const auto& node : *nodes) {
      const auto file = directory_.config(vm, node);
      const auto there = file_calls::is_there(file);
      if (!there)
        return call.failure(there.error(), file);
      if (*there)
        return node;
    }
    return std::optional<node_id>{};
  };
  // A VM that moves to a node that was already looked at is missed, so only what is missed again
  // and again is not there; with the writers of a plain directory kept out, once is enough.
  auto owner = sweep();
  const int repeats = directory_.kind() == directory_kind::plain ? 1 : 3;
  for (int repeat = 0; repeat < repeats && owner && !*owner; ++repeat) {
    const writers_guard guard(directory_);
    owner = sweep();
  }
  return owner;
}

// -- records -------------------------------------------------------------------------------------

result<std::optional<handover_record>> pmxcfs_files::read_record(vm_id vm) const {
  const auto call = begin(file_access::read, "read the record of VM " + to_string(vm));
  const auto file = directory_.record(vm);
  const auto text = file_calls::read_all(file);
  if (!text && text.error() == ENOENT)
    return std::optional<handover_record>{};
  if (!text)
    return call.failure(text.error(), file);
  auto record = parse_record(*text, file.string());
  if (!record)
    return tl::unexpected(record.error());
  if (record->vm != vm)
    return call.failure(
      errc::invalid, "$.vm: it is the record of VM " + to_string(record->vm), file);
  return std::optional(std::move(*record));
}

result<std::map<vm_id, handover_record>> pmxcfs_files::read_records() const {
  const auto call = begin(file_access::read, "read all records");
  const auto names = file_calls::names_in(directory_.records());
  if (!names && names.error() != ENOENT)
    return call.failure(names.error(), directory_.records());
  std::map<vm_id, handover_record> out;
  for (const auto& name : names.value_or(std::vector<std::string>{})) {
    const auto vm = number_in(name, ".json");
    if (!vm)
      continue;
    auto record = read_record(*vm);
    if (!record)
      return tl::unexpected(record.error());
    if (*record)
      out.emplace(*vm, std::move(**record));
  }
  return out;
}

result<done> pmxcfs_files::write_record(const handover_record& record) const {
  const auto call = begin(file_access::write, "write the record of VM " + to_string(record.vm));
  const auto file = directory_.record(record.vm);
  // What is written must be readable again.
  const auto text = record_text(record);
  if (const auto readable = parse_record(text, file.string()); !readable)
    return tl::unexpected(readable.error());
  // Written first: on a pmxcfs that is an ordered write, so the look after it shows every record
  // that was written anywhere before this call.
  const auto temporary = directory_.write_beside(file, text);
  if (!temporary)
    return call.failure(temporary.error(), file);
  const writers_guard guard(directory_);
  result<done> outcome = done{};
  if (guard.failure() != 0) {
    outcome = call.failure(guard.failure(), directory_.guard());
  } else if (const auto present = read_record(record.vm); !present) {
    outcome = tl::unexpected(present.error());
  } else if (*present && !may_follow(record, **present)) {
    outcome = call.failure(
      errc::conflict,
      "epoch " + to_string((*present)->number) + " from " + (*present)->source.value + " to " +
        (*present)->target.value + " is there",
      file);
  } else if (const auto failed = file_calls::rename_file(*temporary, file, replacing::allowed);
             failed != 0) {
    outcome = call.failure(failed, file);
  }
  if (!outcome)
    file_calls::unlink_file(*temporary);
  return outcome;
}

// -- order ---------------------------------------------------------------------------------------

result<std::string> pmxcfs_files::read_membership() const {
  const auto call = begin(file_access::read, "read the membership");
  auto text = file_calls::read_all(directory_.members());
  // A plain directory has no members, and takes nothing back.
  if (!text && text.error() == ENOENT && directory_.kind() == directory_kind::plain)
    return std::string{};
  if (!text)
    return call.failure(text.error(), directory_.members());
  return std::move(*text);
}

result<done> pmxcfs_files::barrier() const {
  const auto call = begin(file_access::write, "pass the barrier");
  if (const auto failed = directory_.pass_barrier(node_); failed != 0)
    return call.failure(failed, directory_.barrier(node_));
  // Only who may write comes here, and once is enough: a node has one agent that does.
  if (!std::exchange(has_swept_, true))
    directory_.remove_unfinished(
      {directory_.configs(node_), directory_.records(), directory_.holders()});
  return done{};
}

} // namespace drover
