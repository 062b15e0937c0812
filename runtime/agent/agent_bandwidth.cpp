// The node's bandwidth among the streams that leave it: divided anew when one begins and when one
// ends. What a stream gets is kept in its QEMU; here is only what was told last.
#include "runtime/agent/agent.hpp"
#include "runtime/agent/bandwidth_shares.hpp"

namespace drover {

namespace {

std::uint64_t own_limit(const result<std::string>& config, vm_id vm) {
  if (!config)
    return 0;
  const auto parsed = vm_config::parse(*config, to_string(vm) + ".conf");
  return parsed ? parsed->migrate_speed_bytes_per_s() : 0;
}

} // namespace

/// Those that leave here now, also if another agent let them begin.
bandwidth_by_vm agent::leaving_streams() const {
  bandwidth_by_vm leaving;
  for (const auto& machine : machines_.list()) {
    const bool runs =
      machine.state == wire::run_state::running || machine.state == wire::run_state::paused;
    const bool streams = machine.number > epoch{} &&
                         marks_of(machine.vm).streamed == machine.number &&
                         marks_of(machine.vm).run < machine.number &&
                         !machines_.stream_outcome(machine.vm, machine.number);
    if (runs && streams)
      leaving[machine.vm] = own_limit(machines_.started_config(machine.vm), machine.vm);
  }
  return leaving;
}

std::uint64_t agent::admit_stream(vm_id vm, std::uint64_t at_most) {
  if (settings_.bandwidth_bytes_per_s == 0)
    return at_most;
  auto leaving = leaving_streams();
  leaving[vm] = at_most;
  const auto shares = bandwidth_shares(settings_.bandwidth_bytes_per_s, leaving);
  told_shares_[vm] = shares.at(vm);
  tell_shares(shares);
  return shares.at(vm);
}

void agent::share_bandwidth_anew() {
  if (settings_.bandwidth_bytes_per_s > 0)
    tell_shares(bandwidth_shares(settings_.bandwidth_bytes_per_s, leaving_streams()));
}

void agent::tell_shares(const bandwidth_by_vm& shares) {
  std::erase_if(told_shares_, [&](const auto& told) { return !shares.contains(told.first); });
  for (const auto& [vm, share] : shares)
    if (const auto told = told_shares_.find(vm);
        told == told_shares_.end() || told->second != share)
      tasks_.spawn(tell_share(vm, share));
}

task<done> agent::tell_share(vm_id vm, std::uint64_t bytes_per_s) {
  told_shares_[vm] = bytes_per_s;
  const auto set = co_await machine_.set_bandwidth(vm, bytes_per_s);
  // Told again at the next change; its stream may just have ended.
  if (!set && told_shares_.contains(vm) && told_shares_.at(vm) == bytes_per_s)
    told_shares_.erase(vm);
  co_return done{};
}

} // namespace drover
