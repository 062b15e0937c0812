#include "runtime/store/lagging_files.hpp"

#include "runtime/base/time.hpp"
#include "runtime/store/record_json.hpp"
#include "runtime/store/store_checks.hpp"
#include "runtime/store/store_log_text.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace drover {
namespace {

log_time now() { return wall_now().time_since_epoch(); }

/// Every process of a node draws the same lags.
std::uint64_t seed_of(const node_id& node) { return luck{0}.fork(node.value).next(); }

} // namespace

lagging_files::lagging_files(const lagging_options& options)
  : options_(options), file_(options.directory / "log.ndjson"),
    view_(seed_of(options.node), options.lag) {}

result<lagging_files> lagging_files::open(const lagging_options& options) {
  if (!is_node_name(options.node))
    return fail(
      errc::invalid, "a node's name has letters, digits, '-', '_' and '.'", options.node.value);
  const file_call call(directory_kind::plain, file_access::read, "open the store's directory");
  const auto made = file_calls::make_directory(options.directory);
  if (made == ENOENT)
    return call.failure(errc::invalid, "its parent directory does not exist", options.directory);
  if (made != 0 && made != EEXIST)
    return call.failure(made, options.directory);
  return lagging_files(options);
}

result<done> lagging_files::refresh(const file_call& call) {
  const auto text = file_.read_from(offset_);
  if (!text)
    return call.failure(text.error(), file_.path());
  std::size_t begin = 0;
  while (begin < text->size()) {
    const auto end = text->find('\n', begin);
    const auto line = std::string_view(*text).substr(begin, end - begin);
    const auto entry =
      parse_entry(line, file_.path().string() + ", line " + std::to_string(log_.end() + 1));
    if (!entry)
      return tl::unexpected(entry.error());
    log_.append(*entry);
    offset_ += end + 1 - begin;
    begin = end + 1;
  }
  // Its own writes have shown the node everything before them, also those of an earlier process.
  if (const auto own = log_.last_of(options_.node); own > view_.at())
    view_.catch_up(log_, own, log_.entry(own).at);
  view_.advance(log_, now());
  return done{};
}

store_replica lagging_files::replica() {
  const store_replica::place place{log_, view_, options_.node, options_.lock_expiry};
  return store_replica(place, now());
}

template <class T>
result<T> lagging_files::read(
  const std::string& what, const std::function<result<T>(store_replica&)>& job) {
  const file_call call(directory_kind::plain, file_access::read, what);
  answer_at_ = {};
  if (const auto fresh = refresh(call); !fresh)
    return tl::unexpected(fresh.error());
  auto seen = replica();
  return job(seen);
}

result<done> lagging_files::write(const std::string& what, const write_job& job) {
  const file_call call(directory_kind::plain, file_access::write, what);
  answer_at_ = {};
  const file_calls::exclusive_lock alone(file_.path());
  if (alone.failure() != 0)
    return call.failure(alone.failure(), file_.path());
  if (auto fresh = refresh(call); !fresh)
    return fresh;
  written_at_ = std::max(written_at_, monotonic_now() + (view_.all_seen(log_) - now()));
  answer_at_ = written_at_;
  auto seen = replica();
  return job(seen, [&](store_change change) { return append(call, std::move(change)); });
}

result<done> lagging_files::append(const file_call& call, store_change change) {
  const log_entry entry{now(), options_.node, std::move(change)};
  const auto line = entry_line(entry);
  if (const auto failed = file_.append_at(offset_, line); failed != 0)
    return call.failure(failed, file_.path());
  offset_ += line.size();
  log_.append(entry);
  return done{};
}

// -- the port's calls ----------------------------------------------------------------------------

result<std::map<vm_id, node_id>> lagging_files::read_places() {
  return read<std::map<vm_id, node_id>>(
    "read the places of all VMs", [](store_replica& at) { return at.read_places(); });
}

result<std::optional<node_id>> lagging_files::read_owner(vm_id vm) {
  return read<std::optional<node_id>>(
    "read the owner of VM " + to_string(vm), [vm](store_replica& at) { return at.read_owner(vm); });
}

result<std::string> lagging_files::read_config(vm_id vm, const node_id& node) {
  return read<std::string>("read the config of VM " + to_string(vm), [&](store_replica& at) {
    return at.read_config(vm, node);
  });
}

result<std::optional<handover_record>> lagging_files::read_record(vm_id vm) {
  return read<std::optional<handover_record>>(
    "read the record of VM " + to_string(vm),
    [vm](store_replica& at) { return at.read_record(vm); });
}

result<std::map<vm_id, handover_record>> lagging_files::read_records() {
  return read<std::map<vm_id, handover_record>>(
    "read all records", [](store_replica& at) { return at.read_records(); });
}

result<std::vector<store_lock>> lagging_files::read_locks(const std::string& prefix) {
  return read<std::vector<store_lock>>(
    "read the locks", [&](store_replica& at) { return at.read_locks(prefix); });
}

result<done> lagging_files::create_config(vm_id vm, const node_id& node, const std::string& text) {
  return write("create VM " + to_string(vm), [&](auto& at, auto& change) {
    return at.create_config(vm, node, text, change);
  });
}

result<done> lagging_files::write_config(vm_id vm, const node_id& node, const config_edit& edit) {
  return write("write the config of VM " + to_string(vm), [&](auto& at, auto& change) {
    return at.write_config(vm, node, edit, change);
  });
}

result<done> lagging_files::remove_config(vm_id vm, const node_id& node) {
  return write("remove VM " + to_string(vm), [&](auto& at, auto& change) {
    return at.remove_config(vm, node, change);
  });
}

result<done> lagging_files::move_config(vm_id vm, const node_id& from, const node_id& to) {
  return write("move VM " + to_string(vm), [&](auto& at, auto& change) {
    return at.move_config(vm, from, to, change);
  });
}

result<done> lagging_files::write_record(const handover_record& record) {
  return write("write the record of VM " + to_string(record.vm), [&](auto& at, auto& change) {
    return at.write_record(record, change);
  });
}

result<done> lagging_files::barrier() {
  return write("pass the barrier", [](auto& at, auto& change) { return at.barrier(change); });
}

result<done> lagging_files::take_lock(const std::string& name, const std::string& holder) {
  return write("take lock " + name, [&](auto& at, auto& change) {
    return at.take_lock(name, holder, change);
  });
}

result<done> lagging_files::drop_lock(const std::string& name, const std::string& holder) {
  return write("drop lock " + name, [&](auto& at, auto& change) {
    return at.drop_lock(name, holder, change);
  });
}

result<std::map<std::string, std::string>> lagging_files::newest_files() {
  const file_call call(directory_kind::plain, file_access::read, "read the whole store");
  if (const auto fresh = refresh(call); !fresh)
    return tl::unexpected(fresh.error());
  std::map<std::string, std::string> files;
  for (const auto& [vm, owner] : log_.places(log_.end()))
    files["nodes/" + owner.value + "/qemu-server/" + to_string(vm) + ".conf"] =
      *log_.config(vm, log_.end())->text;
  for (const auto& [vm, record] : log_.records(log_.end()))
    files["drover/vm/" + to_string(vm) + ".json"] = record_text(record);
  return files;
}

} // namespace drover
