#include "runtime/agent/agent.hpp"
#include "runtime/agent/busy_vm.hpp"
#include "runtime/wire/features.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

using wire::run_state;

/// Well below the 120 s after which an unrenewed lock of the store expires.
constexpr nanoseconds cordon_renewal = std::chrono::seconds{30};

result<done> stands(run_state state, vm_id vm, const node_id& node) {
  if (state == run_state::absent)
    return done{};
  return fail(
    errc::refused, "a QEMU of VM " + to_string(vm) + " is on " + node.value + " already",
    std::string{wire::to_string(state)});
}

void describe(wire::vm_entry& entry, const std::string& text, const hypervisor& machines) {
  const auto running = machines.started_config(entry.vm);
  const auto config =
    vm_config::parse(text.empty() && running ? *running : text, to_string(entry.vm) + ".conf");
  if (!config) {
    entry.blockers.push_back(to_string(config.error()));
    return;
  }
  entry.name = config->name();
  entry.memory_bytes = config->memory_bytes();
  entry.lock = entry.config_here ? config->lock() : "";
  entry.tags = config->tags();
  entry.onboot = config->onboot();
}

} // namespace

task<agent::answered> agent::handle(wire::hello asked, mono_time) {
  if (asked.protocol != wire::protocol_version)
    co_return fail(
      errc::refused,
      "protocol " + wire::version_text(asked.protocol, asked.minor) +
        " was asked for, this agent speaks protocol " +
        wire::version_text(wire::protocol_version, wire::protocol_minor) +
        "; install the same version of drover here and there",
      settings_.node.value + ", drover-agent " + settings_.version);
  greeted_ = true;
  controller_ = asked.controller;
  wire::hello_reply answer;
  answer.protocol = wire::protocol_version;
  answer.minor = wire::protocol_minor;
  answer.node = settings_.node;
  answer.boot_id = settings_.boot_id;
  answer.version = settings_.version;
  answer.hypervisor = machines_.version();
  for (const auto one : wire::features_here)
    answer.features.emplace_back(one);
  for (const auto how : all_policies)
    answer.features.push_back("policy-" + std::string{to_string(how)});
  if (settings_.access == agent_access::observe)
    answer.features.push_back("observe");
  answer.agent_pid = settings_.pid;
  answer.memory_bytes = settings_.memory_bytes;
  answer.cores = settings_.cores;
  const auto clocks = read_clocks();
  answer.monotonic = clocks.monotonic;
  answer.wall = clocks.wall;
  if (settings_.access == agent_access::control && !std::exchange(surveying_, true))
    tasks_.spawn(adopt());
  co_return answer;
}

task<agent::answered> agent::handle(wire::ping, mono_time) { co_return wire::accepted{}; }

task<agent::answered> agent::handle(wire::read_clocks, mono_time) {
  const auto clocks = read_clocks();
  co_return wire::clocks{clocks.monotonic, clocks.wall};
}

/// The VMs of this node, without what their configs say. What the store tells of all the others is
/// dropped as it comes: in a large cluster it is a lot, and every agent may be asked at once.
task<result<agent::own_vms>> agent::list_own_vms() {
  auto places_asked = store_.places();
  auto records_asked = store_.records();
  auto places = co_await places_asked;
  const auto is_elsewhere = [this](const auto& entry) { return entry.second != settings_.node; };
  if (places)
    std::erase_if(*places, is_elsewhere);
  auto records = co_await records_asked;
  if (places && records)
    std::erase_if(*records, [&](const auto& entry) {
      const auto& [vm, record] = entry;
      return record.source != settings_.node && record.target != settings_.node &&
             !places->contains(vm) && !machines_.find(vm);
    });
  const auto holder = co_await cordon_holder();
  if (!places)
    co_return tl::unexpected{places.error()};
  if (!records)
    co_return tl::unexpected{records.error()};
  if (!holder)
    co_return tl::unexpected{holder.error()};
  own_vms own;
  own.cordon = *holder;
  for (const auto& [vm, owner] : *places)
    own.entries[vm].config_here = true;
  for (const auto& machine : machines_.list())
    own.entries[machine.vm].state = state_of(machine);
  for (auto& [vm, entry] : own.entries) {
    entry.vm = vm;
    if (const auto record = records->find(vm); record != records->end()) {
      entry.record_epoch = record->second.number;
      entry.record = record->second.state;
      entry.record_source = record->second.source;
      entry.record_target = record->second.target;
    }
  }
  co_return own;
}

task<agent::answered> agent::handle(wire::list_vms, mono_time) {
  auto own = co_await list_own_vms();
  if (!own)
    co_return tl::unexpected{own.error()};
  wire::vm_list answer;
  answer.cordon = own->cordon;
  if (auto why_not = machines_.encryption_objection(); !why_not.empty())
    answer.encryption_objection = std::move(why_not);
  for (auto& [vm, entry] : own->entries) {
    entry.run_mark = marks_of(vm).run;
    std::string text;
    if (entry.config_here) {
      auto read = co_await store_.config(vm, settings_.node);
      if (read)
        text = std::move(*read);
      else
        entry.config_here = false; // moved away since the places were read
    }
    if (!entry.config_here && entry.state == run_state::absent)
      continue;
    const auto found = machines_.find(vm);
    const auto started = machines_.started_config(vm);
    entry.blockers = found && started ? blockers_of(*found, *started) : machines_.blockers(text);
    describe(entry, text, machines_);
    answer.vms.push_back(entry);
  }
  co_return answer;
}

/// QEMU does not send what an earlier stream has left stopped.
std::vector<std::string> agent::blockers_of(
  const machine_status& status, const std::string& started) const {
  auto all = machines_.blockers(started);
  if (is_kept(status))
    all.emplace_back("It has stayed paused after a move that was taken back; resume it first.");
  return all;
}

/// Reads a config of this node behind a barrier: a view that lags would show VMs that have left.
task<result<agent::owned_config>> agent::own_config(operation what, vm_id vm) {
  auto seen = co_await store_.view_behind_barrier(vm);
  if (!seen)
    co_return tl::unexpected{seen.error()};
  guard_facts facts;
  facts.here = settings_.node;
  facts.view = *seen;
  if (const auto verdict = judge(what, owned{}, facts); !verdict)
    co_return tl::unexpected{verdict.error()};
  const auto text = co_await store_.config(vm, settings_.node);
  if (!text)
    co_return tl::unexpected{text.error()};
  auto config = vm_config::parse(*text, to_string(vm) + ".conf");
  if (!config)
    co_return tl::unexpected{config.error()};
  co_return owned_config{std::move(*config), std::move(seen->record)};
}

task<agent::answered> agent::handle(wire::start_vm asked, mono_time until) {
  const auto free = co_await not_being_finished(asked.vm, until);
  if (!free)
    co_return tl::unexpected{free.error()};
  const busy_vm busy{busy_, asked.vm};
  if (!busy.taken())
    co_return busy.refusal();
  const auto open = co_await not_cordoned();
  if (!open)
    co_return tl::unexpected{open.error()};
  const auto own = co_await own_config(operation::start, asked.vm);
  if (!own)
    co_return tl::unexpected{own.error()};
  if (const auto lock = own->config.lock(); !lock.empty())
    co_return fail(errc::refused, "VM " + to_string(asked.vm) + " is locked (" + lock + ")");
  const auto found = machines_.find(asked.vm);
  const auto vacant =
    stands(found ? state_of(*found) : run_state::absent, asked.vm, settings_.node);
  if (!vacant)
    co_return tl::unexpected{vacant.error()};
  const auto started = co_await machine_.start(asked.vm, own->config.text());
  if (!started)
    co_return tl::unexpected{started.error()};
  co_return wire::vm_status{asked.vm, started->state};
}

task<agent::answered> agent::handle(wire::stop_vm asked, mono_time until) {
  const auto free = co_await not_being_finished(asked.vm, until);
  if (!free)
    co_return tl::unexpected{free.error()};
  const busy_vm busy{busy_, asked.vm};
  if (!busy.taken())
    co_return busy.refusal();
  const auto own = co_await own_config(operation::stop, asked.vm);
  if (!own)
    co_return tl::unexpected{own.error()};
  if (const auto lock = own->config.lock(); !lock.empty())
    co_return fail(errc::refused, "VM " + to_string(asked.vm) + " is locked (" + lock + ")");
  const auto stopped = co_await machine_.quit(asked.vm);
  if (!stopped)
    co_return tl::unexpected{stopped.error()};
  co_return wire::vm_status{asked.vm, run_state::absent};
}

task<agent::answered> agent::handle(wire::cordon asked, mono_time until) {
  co_await survey_ended(until);
  const auto holder = asked.reason.empty() ? controller_ : controller_ + " " + asked.reason;
  const auto taken = co_await store_.take_lock(cordon_lock(), holder);
  if (!taken)
    co_return tl::unexpected{taken.error()};
  cordon_ = cordon_held{holder, ++cordon_generation_};
  tasks_.spawn(renew_cordon(cordon_->generation));
  co_return wire::accepted{};
}

task<done> agent::renew_cordon(std::uint64_t generation) {
  for (;;) {
    co_await sleep(cordon_renewal);
    if (!cordon_ || cordon_->generation != generation)
      co_return done{};
    // A renewal that fails is repeated with the next one: four fit into the lease.
    co_await store_.take_lock(cordon_lock(), cordon_->holder);
  }
}

task<agent::answered> agent::handle(wire::uncordon, mono_time) {
  auto holder = co_await cordon_holder();
  if (!holder)
    co_return tl::unexpected{holder.error()};
  cordon_.reset();
  if (holder->empty())
    co_return wire::accepted{};
  if (*holder != controller_ && !holder->starts_with(controller_ + " "))
    co_return fail(errc::conflict, "the node is cordoned by somebody else", *holder);
  const auto dropped = co_await store_.drop_lock(cordon_lock(), *holder);
  co_return accepted_if(dropped);
}

std::string agent::cordon_lock() const { return "drover-cordon-" + settings_.node.value; }

/// Empty = the node is not cordoned.
task<result<std::string>> agent::cordon_holder() {
  const auto locks = co_await store_.locks(cordon_lock());
  if (!locks)
    co_return tl::unexpected{locks.error()};
  for (const auto& lock : *locks)
    if (lock.name == cordon_lock())
      co_return lock.holder;
  co_return std::string{};
}

agent::answered agent::accepted_if(const result<done>& outcome) {
  if (!outcome)
    return tl::unexpected{outcome.error()};
  return wire::accepted{};
}

/// What others have left on this node is known and its stale locks are gone, or the time is over.
task<done> agent::survey_ended(mono_time until) {
  while (surveying_ && timers_.now() < until && !gone_)
    co_await changed(vm_id{}, until - timers_.now());
  co_return done{};
}

/// Whatever a controller that is gone has left of the VM comes to its end first.
task<result<done>> agent::not_being_finished(vm_id vm, mono_time until) {
  co_await survey_ended(until);
  const auto found = finishing_.find(vm);
  if (found != finishing_.end())
    co_return fail(
      errc::retry,
      "the handover of VM " + to_string(vm) + " by " + found->second + " is being finished");
  if (surveying_)
    co_return fail(errc::retry, "the handovers of " + settings_.node.value + " are not known yet");
  co_return done{};
}

/// Only the agent that has this node's seat cordons it: another controller's cordon was left by an
/// agent that was killed, and would stand until its lease has run out.
task<done> agent::drop_stale_cordon() {
  const auto holder = co_await cordon_holder();
  if (holder && !holder->empty() && !holder->starts_with(controller_))
    co_await store_.drop_lock(cordon_lock(), *holder);
  co_return done{};
}

task<result<done>> agent::not_cordoned() {
  const auto holder = co_await cordon_holder();
  if (!holder)
    co_return tl::unexpected{holder.error()};
  if (!holder->empty())
    co_return fail(errc::refused, settings_.node.value + " is cordoned", *holder);
  co_return done{};
}

} // namespace drover
