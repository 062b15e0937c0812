#include "runtime/store/store_replica.hpp"

#include "runtime/store/store_checks.hpp"

#include <utility>

namespace drover {

// -- reads ---------------------------------------------------------------------------------------

result<std::string> store_replica::read_config(vm_id vm, const node_id& node) const {
  const auto what = [&] { return "read the config of VM " + to_string(vm); };
  if (!is_node_name(node))
    return refuse(errc::invalid, what(), "a node's name is no path");
  const auto* version = at_.log.config(vm, at_.view.at());
  if (version == nullptr || version->owner != node)
    return refuse(errc::conflict, what(), node.value + " does not hold it");
  return *version->text;
}

std::optional<handover_record> store_replica::read_record(vm_id vm) const {
  const auto* record = at_.log.record(vm, at_.view.at());
  return record != nullptr ? std::optional(*record) : std::nullopt;
}

std::vector<store_lock> store_replica::read_locks(const std::string& prefix) const {
  std::vector<store_lock> out;
  for (auto& [name, lock] : at_.log.locks(prefix, at_.view.at()))
    if (!has_expired(name))
      out.push_back({name, lock.holder});
  return out;
}

// -- how a write ends ----------------------------------------------------------------------------

tl::unexpected<error> store_replica::refuse(
  errc code, const std::string& what, const std::string& why) const {
  return fail(code, what + ": " + why, "in the view of " + at_.node.value);
}

result<done> store_replica::lose(
  const std::string& what, const std::string& why, const change_function& change) {
  if (auto ordered = order(nothing_changed{}, change); !ordered)
    return ordered;
  return fail(errc::conflict, what + ": " + why, at_.node.value);
}

result<done> store_replica::order(store_change made, const change_function& change) {
  auto ordered = change(std::move(made));
  if (ordered)
    see_all();
  return ordered;
}

// -- configs -------------------------------------------------------------------------------------

result<done> store_replica::create_config(
  vm_id vm, const node_id& node, std::string text, const change_function& change) {
  const auto what = [&] { return "create VM " + to_string(vm); };
  if (const auto wrong = config_objection(vm, node, text); !wrong.empty())
    return refuse(errc::invalid, what(), wrong);
  if (shows(vm, node))
    return refuse(errc::conflict, what(), "the number is used on " + node.value);
  if (const auto owner = at_.log.owner(vm, at_.log.end()))
    return lose(what(), "the number is used on " + owner->value, change);
  return order(
    config_placed{vm, node, std::make_shared<const std::string>(std::move(text))}, change);
}

result<done> store_replica::write_config(
  vm_id vm, const node_id& node, const config_edit& edit, const change_function& change) {
  const auto what = [&] { return "write the config of VM " + to_string(vm); };
  if (const auto wrong = config_objection(vm, node, edit.after); !wrong.empty())
    return refuse(errc::invalid, what(), wrong);
  if (!shows(vm, node))
    return refuse(errc::conflict, what(), node.value + " does not hold it");
  if (!stands(vm, node))
    return lose(what(), node.value + " does not hold it any more", change);
  if (*at_.log.config(vm, at_.log.end())->text != edit.before)
    return lose(what(), std::string{changed_meanwhile}, change);
  return order(config_placed{vm, node, std::make_shared<const std::string>(edit.after)}, change);
}

result<done> store_replica::remove_config(
  vm_id vm, const node_id& node, const change_function& change) {
  const auto what = [&] { return "remove VM " + to_string(vm); };
  if (!is_node_name(node))
    return refuse(errc::invalid, what(), "a node's name is no path");
  if (!shows(vm, node))
    return refuse(errc::conflict, what(), node.value + " does not hold it");
  if (!stands(vm, node))
    return lose(what(), node.value + " does not hold it any more", change);
  return order(config_removed{vm}, change);
}

result<done> store_replica::move_config(
  vm_id vm, const node_id& from, const node_id& to, const change_function& change) {
  const auto what = [&] {
    return "move VM " + to_string(vm) + " from " + from.value + " to " + to.value;
  };
  if (!is_node_name(from) || !is_node_name(to) || from == to)
    return refuse(errc::invalid, what(), "a move needs two nodes");
  if (shows(vm, to))
    return refuse(errc::conflict, what(), to.value + " holds it already");
  if (!shows(vm, from))
    return refuse(errc::conflict, what(), from.value + " does not hold it");
  if (!stands(vm, from))
    return lose(what(), from.value + " does not hold it any more", change);
  return order(config_placed{vm, to, nullptr}, change);
}

// -- records and order ---------------------------------------------------------------------------

result<done> store_replica::write_record(
  const handover_record& record, const change_function& change) {
  const auto what = [&] { return "write the record of VM " + to_string(record.vm); };
  if (record.vm.value == 0 || record.vm.value > 999999999)
    return refuse(errc::invalid, what(), "a VM's number is from 1 to 999999999");
  if (record.source.value.empty() || record.target.value.empty())
    return refuse(errc::invalid, what(), "a record names its source and its target");
  const auto* present = at_.log.record(record.vm, at_.log.end());
  if (present != nullptr && !may_follow(record, *present))
    return lose(
      what(),
      "epoch " + to_string(present->number) + " from " + present->source.value + " to " +
        present->target.value + " is there",
      change);
  return order(record_written{record}, change);
}

result<done> store_replica::barrier(const change_function& change) {
  return order(nothing_changed{}, change);
}

// -- locks ---------------------------------------------------------------------------------------

/// Nobody compares two clocks: a lock has expired when this view has shown it unrenewed so long.
bool store_replica::has_expired(const std::string& lock) const {
  const auto number = at_.log.lock_number(lock);
  const auto seen = number ? at_.view.lock_seen(*number) : std::nullopt;
  return seen && now_ - *seen >= at_.lock_expiry;
}

result<done> store_replica::take_lock(
  const std::string& name, const std::string& holder, const change_function& change) {
  const auto what = [&] { return "take lock " + name; };
  if (!is_lock_name(name) || holder.empty())
    return refuse(errc::invalid, what(), "a lock needs a plain name and a holder");
  const bool was_shown = at_.log.lock(name, at_.view.at()) != nullptr;
  // Whatever it finds, it has asked the others: all that follows is judged in the order of writes.
  see_all();
  const auto* present = at_.log.lock(name, at_.log.end());
  if (present == nullptr)
    return was_shown ? lose(what(), "it changes hands", change)
                     : order(lock_taken{name, holder, at_.node}, change);
  if (present->holder == holder)
    return present->node == at_.node ? order(lock_taken{name, holder, at_.node}, change)
                                     : lose(what(), "it was taken on another node", change);
  const auto why = held_by(present->holder);
  if (!has_expired(name))
    return lose(what(), why, change);
  // An expired lock is dropped for whoever asks, and free for the one who asks next.
  if (auto dropped = order(lock_removed{name}, change); !dropped)
    return dropped;
  return refuse(errc::conflict, what(), why);
}

result<done> store_replica::drop_lock(
  const std::string& name, const std::string& holder, const change_function& change) {
  const auto what = [&] { return "drop lock " + name; };
  if (!is_lock_name(name) || holder.empty())
    return refuse(errc::invalid, what(), "a lock needs a plain name and a holder");
  see_all();
  const auto* present = at_.log.lock(name, at_.log.end());
  if (present == nullptr || present->holder != holder)
    return lose(what(), held_by(present != nullptr ? present->holder : std::string{}), change);
  return order(lock_removed{name}, change);
}

} // namespace drover
