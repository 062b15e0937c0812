#include "runtime/store/etcd/etcd_calls.hpp"

#include "runtime/store/record_json.hpp"
#include "runtime/store/store_checks.hpp"

#include <charconv>
#include <random>
#include <utility>

namespace drover {
namespace {

struct config_entry {
  node_id owner;
  std::string text;
};

std::string text_of(const config_entry& entry) { return entry.owner.value + "\n" + entry.text; }

result<config_entry> parse_config(const etcd::key_value& entry) {
  const auto end = entry.value.find('\n');
  if (end == std::string::npos || !is_node_name(node_id{entry.value.substr(0, end)}))
    return fail(errc::invalid, "expected the owner's name in the first line", entry.key);
  return config_entry{node_id{entry.value.substr(0, end)}, entry.value.substr(end + 1)};
}

/// The number at the end of a key; nullopt where it is none of drover's.
std::optional<vm_id> vm_of(const std::string& key) {
  const auto* begin = key.data() + key.rfind('/') + 1;
  const auto* end = key.data() + key.size();
  std::uint32_t number = 0;
  const auto [parsed, failed] = std::from_chars(begin, end, number);
  return failed == std::errc{} && parsed == end ? std::optional{vm_id{number}} : std::nullopt;
}

std::string random_name() {
  std::random_device source;
  return std::to_string(source()) + "-" + std::to_string(source());
}

tl::unexpected<error> conflict(const std::string& what, vm_id vm) {
  return fail(errc::conflict, what, "VM " + to_string(vm));
}

etcd::transaction put(std::string key, std::string value) {
  etcd::transaction made;
  made.puts.push_back({std::move(key), std::move(value)});
  return made;
}

} // namespace

etcd_calls::etcd_calls(const etcd_options& options)
  : options_(options), node_key_(options.prefix + "/node/" + options.node.value),
    instance_(random_name()), client_(options.reached),
    watcher_(options.reached, options.prefix + "/") {}

result<etcd_calls> etcd_calls::open(const etcd_options& options) { return etcd_calls(options); }

std::string etcd_calls::config_key(vm_id vm) const {
  return options_.prefix + "/config/" + to_string(vm);
}
std::string etcd_calls::record_key(vm_id vm) const {
  return options_.prefix + "/record/" + to_string(vm);
}
std::string etcd_calls::lock_key(const std::string& name) const {
  return options_.prefix + "/lock/" + name;
}

result<std::map<vm_id, node_id>> etcd_calls::read_places() {
  if (const auto seen = seen_anything(); !seen)
    return tl::unexpected{seen.error()};
  std::map<vm_id, node_id> places;
  for (const auto& [key, entry] : watcher_.below(options_.prefix + "/config/")) {
    const auto config = parse_config(entry);
    if (!config)
      return tl::unexpected{config.error()};
    if (const auto vm = vm_of(key))
      places.emplace(*vm, config->owner);
  }
  return places;
}

result<std::optional<node_id>> etcd_calls::read_owner(vm_id vm) {
  if (const auto seen = seen_anything(); !seen)
    return tl::unexpected{seen.error()};
  const auto entry = watcher_.find(config_key(vm));
  if (!entry)
    return std::nullopt;
  return parse_config(*entry).map([](config_entry one) { return std::optional{one.owner}; });
}

result<std::string> etcd_calls::read_config(vm_id vm, const node_id& node) {
  if (const auto seen = seen_anything(); !seen)
    return tl::unexpected{seen.error()};
  const auto entry = watcher_.find(config_key(vm));
  if (!entry)
    return conflict("no node holds its config", vm);
  auto config = parse_config(*entry);
  if (!config)
    return tl::unexpected{config.error()};
  if (config->owner != node)
    return conflict(node.value + " does not hold its config", vm);
  return std::move(config->text);
}

result<done> etcd_calls::create_config(vm_id vm, const node_id& node, const std::string& text) {
  if (const auto why_not = config_objection(vm, node, text); !why_not.empty())
    return fail(errc::invalid, why_not, "VM " + to_string(vm));
  return commit(config_key(vm), [&](const present& there) -> result<etcd::transaction> {
    if (there)
      return conflict("its number is taken", vm);
    return put(config_key(vm), text_of({node, text}));
  });
}

/// What is written over a config that `holder` must have.
result<done> etcd_calls::change_config(
  vm_id vm, const node_id& holder, const config_change& change) {
  return commit(config_key(vm), [&](const present& there) -> result<etcd::transaction> {
    if (!there)
      return conflict("no node holds its config", vm);
    auto config = parse_config(*there);
    if (!config)
      return tl::unexpected{config.error()};
    if (config->owner != holder)
      return conflict(holder.value + " does not hold its config", vm);
    return change(config->text);
  });
}

result<done> etcd_calls::write_config(vm_id vm, const node_id& node, const config_edit& edit) {
  if (const auto why_not = config_objection(vm, node, edit.after); !why_not.empty())
    return fail(errc::invalid, why_not, "VM " + to_string(vm));
  return change_config(vm, node, [&](const std::string& text) -> result<etcd::transaction> {
    if (text != edit.before)
      return conflict(std::string{changed_meanwhile}, vm);
    return put(config_key(vm), text_of({node, edit.after}));
  });
}

result<done> etcd_calls::remove_config(vm_id vm, const node_id& node) {
  return change_config(vm, node, [&](const std::string&) {
    etcd::transaction made;
    made.removals.push_back(config_key(vm));
    return made;
  });
}

result<done> etcd_calls::move_config(vm_id vm, const node_id& from, const node_id& to) {
  if (!is_node_name(to))
    return fail(errc::invalid, "a node's name has letters, digits, '-', '_' and '.'", to.value);
  if (from == to)
    return conflict(to.value + " holds its config already", vm);
  return change_config(vm, from, [&](const std::string& text) {
    return put(config_key(vm), text_of({to, text}));
  });
}

result<std::optional<handover_record>> etcd_calls::read_record(vm_id vm) {
  if (const auto seen = seen_anything(); !seen)
    return tl::unexpected{seen.error()};
  const auto entry = watcher_.find(record_key(vm));
  if (!entry)
    return std::nullopt;
  return parse_record(entry->value, entry->key).map([](handover_record one) {
    return std::optional{std::move(one)};
  });
}

result<std::map<vm_id, handover_record>> etcd_calls::read_records() {
  if (const auto seen = seen_anything(); !seen)
    return tl::unexpected{seen.error()};
  std::map<vm_id, handover_record> records;
  for (const auto& [key, entry] : watcher_.below(options_.prefix + "/record/")) {
    auto record = parse_record(entry.value, key);
    if (!record)
      return tl::unexpected{record.error()};
    if (const auto vm = vm_of(key))
      records.emplace(*vm, std::move(*record));
  }
  return records;
}

result<done> etcd_calls::write_record(const handover_record& record) {
  const auto key = record_key(record.vm);
  return commit(key, [&](const present& there) -> result<etcd::transaction> {
    if (there) {
      const auto before = parse_record(there->value, key);
      if (!before)
        return tl::unexpected{before.error()};
      if (!may_follow(record, *before))
        return conflict("epoch " + to_string(before->number) + " is there", record.vm);
    }
    return put(key, record_text(record));
  });
}

result<done> etcd_calls::barrier() {
  return commit({}, [](const present&) { return etcd::transaction{}; });
}

} // namespace drover
