#include "runtime/store/store_log.hpp"

#include <set>
#include <utility>

namespace drover {

using stamp_kind = store_log::stamp::kind;

// -- writing -------------------------------------------------------------------------------------

log_position store_log::append(const log_entry& entry) {
  auto made = std::visit(
    [&](const auto& change) -> stamp {
      using change_type = std::decay_t<decltype(change)>;
      if constexpr (std::is_same_v<change_type, nothing_changed>)
        return {};
      else if constexpr (
        std::is_same_v<change_type, lock_taken> || std::is_same_v<change_type, lock_removed>)
        return note(change, entry.at);
      else
        return note(change);
    },
    entry.change);
  made.at = entry.at;
  stamps_.push_back(made);
  last_of_[entry.author] = end();
  return end();
}

void store_log::put_first(vm_id vm, const node_id& owner, std::string text) {
  auto& versions = configs_[vm];
  versions.insert(
    versions.begin(), {0, owner, std::make_shared<const std::string>(std::move(text))});
  if (versions.size() == 1)
    places_.emplace(vm, owner);
}

// The entry that is being noted is not in `stamps_` yet, so its position is one more than the end.

store_log::stamp store_log::note(const config_placed& change) {
  auto& versions = configs_[change.vm];
  config_version next{end() + 1, change.owner, change.text};
  auto kind = stamp_kind::config;
  if (!versions.empty()) {
    const auto& present = versions.back();
    if (!next.text)
      next.text = present.text;
    if (present.owner && present.owner != next.owner)
      kind = stamp_kind::moved;
  }
  versions.push_back(std::move(next));
  return {{}, kind, change.vm.value};
}

store_log::stamp store_log::note(const config_removed& change) {
  configs_[change.vm].push_back({end() + 1, std::nullopt, nullptr});
  return {{}, stamp_kind::config, change.vm.value};
}

store_log::stamp store_log::note(const record_written& change) {
  records_[change.record.vm].push_back({end() + 1, change.record});
  return {{}, stamp_kind::record, change.record.vm.value};
}

store_log::stamp store_log::note(const record_removed& change) {
  records_[change.vm].push_back({end() + 1, std::nullopt});
  return {{}, stamp_kind::record, change.vm.value};
}

store_log::stamp store_log::note(const lock_taken& change, log_time at) {
  return note_lock(change.name, {end() + 1, true, change.holder, change.node, at});
}

store_log::stamp store_log::note(const lock_removed& change, log_time at) {
  return note_lock(change.name, {end() + 1, false, {}, {}, at});
}

store_log::stamp store_log::note_lock(const std::string& name, lock_version version) {
  const auto [place, is_new] = locks_.try_emplace(name);
  if (is_new) {
    place->second.number = static_cast<std::uint32_t>(lock_names_.size());
    lock_names_.push_back(name);
  }
  place->second.versions.push_back(std::move(version));
  return {{}, stamp_kind::lock, place->second.number};
}

// -- reading -------------------------------------------------------------------------------------

log_position store_log::last_of(const node_id& author) const {
  const auto found = last_of_.find(author);
  return found == last_of_.end() ? 0 : found->second;
}

const store_log::config_version* store_log::config(vm_id vm, log_position seen) const {
  const auto found = configs_.find(vm);
  const auto* version = found == configs_.end() ? nullptr : version_at(found->second, seen);
  return version != nullptr && version->owner ? version : nullptr;
}

std::optional<node_id> store_log::owner(vm_id vm, log_position seen) const {
  const auto* version = config(vm, seen);
  return version != nullptr ? version->owner : std::nullopt;
}

std::map<vm_id, node_id> store_log::places(log_position seen) const {
  move_places_to(seen);
  return places_;
}

/// What changed between two positions is different; forwards and backwards alike.
void store_log::move_places_to(log_position seen) const {
  const auto last = std::max(seen, places_at_);
  for (auto position = std::min(seen, places_at_) + 1; position <= last; ++position) {
    const auto& made = entry(position);
    if (made.what != stamp_kind::config && made.what != stamp_kind::moved)
      continue;
    const vm_id vm{made.which};
    if (const auto* version = config(vm, seen); version != nullptr)
      places_.insert_or_assign(vm, *version->owner);
    else
      places_.erase(vm);
  }
  places_at_ = seen;
}

const handover_record* store_log::record(vm_id vm, log_position seen) const {
  const auto found = records_.find(vm);
  const auto* version = found == records_.end() ? nullptr : version_at(found->second, seen);
  return version != nullptr && version->record ? &*version->record : nullptr;
}

std::map<vm_id, handover_record> store_log::records(log_position seen) const {
  std::map<vm_id, handover_record> out;
  for (const auto& [vm, versions] : records_)
    if (const auto* version = version_at(versions, seen); version != nullptr && version->record)
      out.emplace_hint(out.end(), vm, *version->record);
  return out;
}

const store_log::lock_version* store_log::lock(const std::string& name, log_position seen) const {
  const auto found = locks_.find(name);
  const auto* version = found == locks_.end() ? nullptr : version_at(found->second.versions, seen);
  return version != nullptr && version->held ? version : nullptr;
}

std::map<std::string, store_log::lock_version> store_log::locks(
  const std::string& prefix, log_position seen) const {
  std::map<std::string, lock_version> out;
  for (auto place = locks_.lower_bound(prefix);
       place != locks_.end() && place->first.starts_with(prefix); ++place)
    if (const auto* version = version_at(place->second.versions, seen);
        version != nullptr && version->held)
      out.emplace_hint(out.end(), place->first, *version);
  return out;
}

std::optional<std::uint32_t> store_log::lock_number(const std::string& name) const {
  const auto found = locks_.find(name);
  return found == locks_.end() ? std::nullopt : std::optional(found->second.number);
}

// -- undoing -------------------------------------------------------------------------------------

std::vector<store_change> store_log::undo(log_position since) const {
  std::set<vm_id> configs;
  std::set<vm_id> records;
  std::set<std::string> locks;
  for (auto position = since + 1; position <= end(); ++position) {
    const auto& made = entry(position);
    if (made.what == stamp_kind::config || made.what == stamp_kind::moved)
      configs.insert(vm_id{made.which});
    else if (made.what == stamp_kind::record)
      records.insert(vm_id{made.which});
    else if (made.what == stamp_kind::lock)
      locks.insert(lock_names_[made.which]);
  }
  std::vector<store_change> out;
  for (const auto vm : configs) {
    if (const auto* old = config(vm, since); old != nullptr)
      out.emplace_back(config_placed{vm, *old->owner, old->text});
    else if (config(vm, end()) != nullptr)
      out.emplace_back(config_removed{vm});
  }
  for (const auto vm : records) {
    if (const auto* old = record(vm, since); old != nullptr)
      out.emplace_back(record_written{*old});
    else if (record(vm, end()) != nullptr)
      out.emplace_back(record_removed{vm});
  }
  for (const auto& name : locks) {
    if (const auto* old = lock(name, since); old != nullptr)
      out.emplace_back(lock_taken{name, old->holder, old->node});
    else if (lock(name, end()) != nullptr)
      out.emplace_back(lock_removed{name});
  }
  return out;
}

} // namespace drover
