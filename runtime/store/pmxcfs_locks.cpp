#include "runtime/store/pmxcfs_locks.hpp"

#include "runtime/store/record_json.hpp"
#include "runtime/store/store_checks.hpp"

#include <cerrno>

namespace drover {
file_call pmxcfs_locks::begin(file_access access, std::string what) const {
  return {directory_.kind(), access, std::move(what)};
}

result<done> pmxcfs_locks::take(const std::string& name, const std::string& holder) {
  const auto call = begin(file_access::write, "take lock " + name);
  const auto place = directory_.lock(name);
  if (!is_lock_name(name) || holder.empty())
    return call.failure(errc::invalid, "a lock needs a plain name and a holder", place);
  const writers_guard guard(directory_);
  if (guard.failure() != 0)
    return call.failure(guard.failure(), directory_.guard());
  // Three rounds: the first finds it held, the second finds it gone meanwhile or evicted.
  for (int round = 0; round < 3; ++round) {
    auto made = file_calls::make_directory(place);
    if (made == ENOENT) {
      if (made = directory_.make_parents(place); made == 0)
        continue;
    }
    if (made == 0)
      return sign(call, name, holder);
    if (made != EEXIST)
      return call.failure(made, place);
    const auto present = read_holder(call, name);
    if (!present)
      return tl::unexpected(present.error());
    if (present->empty() && was_made_here(name))
      return sign(call, name, holder);
    auto outcome = *present == holder ? renew(call, name) : evict(call, name, *present);
    if (!outcome || *present == holder)
      return outcome;
  }
  return call.failure(errc::conflict, "it changes hands", place);
}

result<done> pmxcfs_locks::sign(
  const file_call& call, const std::string& name, const std::string& holder) {
  sightings_.erase(name);
  const auto written = directory_.replace(directory_.holder(name), lock_text({name, holder}));
  if (written == 0)
    return done{};
  file_calls::remove_directory(directory_.lock(name));
  return call.failure(written, directory_.holder(name));
}

/// A lock that nobody has signed is one whose taker was cut short: its directory was made although
/// the answer was an error. Only the node that made it may renew it, so where that is granted and
/// the name is drover's own, it was this node's agent, and there is no other here.
bool pmxcfs_locks::was_made_here(const std::string& name) const {
  return directory_.kind() == directory_kind::replicated && name.starts_with("drover-") &&
         file_calls::touch(directory_.lock(name)) == 0;
}

result<done> pmxcfs_locks::renew(const file_call& call, const std::string& name) {
  const auto place = directory_.lock(name);
  const auto touched = file_calls::touch(place);
  if (touched == 0) {
    sightings_.erase(name);
    return done{};
  }
  const bool refused = touched == EACCES || touched == EPERM;
  if (directory_.kind() == directory_kind::replicated && refused) {
    // Either there is no quorum, or another node made this lock; the barrier tells which.
    if (const auto failed = directory_.pass_barrier(node_); failed != 0)
      return call.failure(failed, place);
    return call.failure(errc::conflict, "it was taken on another node", place);
  }
  return call.failure(touched, place);
}

result<done> pmxcfs_locks::evict(
  const file_call& call, const std::string& name, const std::string& holder) {
  const auto place = directory_.lock(name);
  if (directory_.kind() == directory_kind::replicated) {
    // This touch asks the cluster to drop the lock if it is old enough, and never succeeds itself.
    file_calls::reset_times(place);
    return call.failure(errc::conflict, held_by(holder), place);
  }
  const auto expired = has_expired(name);
  if (!expired)
    return call.failure(expired.error(), place);
  if (!*expired)
    return call.failure(errc::conflict, held_by(holder), place);
  return release(call, name);
}

result<done> pmxcfs_locks::drop(const std::string& name, const std::string& holder) {
  const auto call = begin(file_access::write, "drop lock " + name);
  const auto place = directory_.lock(name);
  if (!is_lock_name(name) || holder.empty())
    return call.failure(errc::invalid, "a lock needs a plain name and a holder", place);
  const writers_guard guard(directory_);
  if (guard.failure() != 0)
    return call.failure(guard.failure(), directory_.guard());
  if (directory_.kind() == directory_kind::replicated) {
    // A holder that slept past its expiry must not remove its successor's lock: the touch keeps the
    // lock from expiring under this call, the barrier shows a successor that came earlier.
    file_calls::touch(place);
    if (const auto failed = directory_.pass_barrier(node_); failed != 0)
      return call.failure(failed, place);
  }
  const auto present = read_holder(call, name);
  if (!present)
    return tl::unexpected(present.error());
  if (*present != holder)
    return call.failure(errc::conflict, held_by(*present), place);
  return release(call, name);
}

result<done> pmxcfs_locks::release(const file_call& call, const std::string& name) {
  const auto place = directory_.lock(name);
  sightings_.erase(name);
  // The holder's name goes first: a lock without a name is safe, a name of the past is not.
  auto failed = file_calls::unlink_file(directory_.holder(name));
  if (failed == 0 || failed == ENOENT)
    failed = file_calls::remove_directory(place);
  if (failed != 0 && failed != ENOENT)
    return call.failure(failed, place);
  return done{};
}

result<std::vector<store_lock>> pmxcfs_locks::read(const std::string& prefix) {
  const auto call = begin(file_access::read, "read the locks");
  const auto names = file_calls::names_in(directory_.locks());
  if (!names && names.error() != ENOENT)
    return call.failure(names.error(), directory_.locks());
  std::vector<store_lock> out;
  for (const auto& name : names.value_or(std::vector<std::string>{})) {
    if (!name.starts_with(prefix) || !is_lock_name(name))
      continue;
    const auto expired = has_expired(name);
    if (!expired && expired.error() == ENOENT)
      continue;
    if (!expired)
      return call.failure(expired.error(), directory_.lock(name));
    auto holder = read_holder(call, name);
    if (!holder)
      return tl::unexpected(holder.error());
    if (!*expired)
      out.push_back({name, std::move(*holder)});
  }
  return out;
}

result<std::string> pmxcfs_locks::read_holder(
  const file_call& call, const std::string& name) const {
  const auto file = directory_.holder(name);
  const auto text = file_calls::read_all(file);
  if (!text && text.error() == ENOENT)
    return std::string{};
  if (!text)
    return call.failure(text.error(), file);
  // What a power failure may leave of a file that was not synced.
  if (text->empty())
    return std::string{};
  auto lock = parse_lock(*text, file.string());
  if (!lock)
    return tl::unexpected(lock.error());
  return std::move(lock->holder);
}

file_calls::outcome<bool> pmxcfs_locks::has_expired(const std::string& name) {
  const auto modified = file_calls::modified(directory_.lock(name));
  if (!modified) {
    sightings_.erase(name);
    return tl::unexpected(modified.error());
  }
  const auto now = monotonic_now();
  const auto [known, is_new] = sightings_.try_emplace(name, sighting{*modified, now});
  if (!is_new && known->second.modified != *modified)
    known->second = {*modified, now};
  return now - known->second.since >= expiry_;
}

} // namespace drover
