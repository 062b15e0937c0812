#include "runtime/hypervisor/sim_park.hpp"

#include <utility>

namespace drover {

wire::run_state state_of(const sim_qemu& qemu) {
  switch (qemu.state) {
  case sim_state::running:
    return wire::run_state::running;
  case sim_state::waiting:
    return wire::run_state::incoming;
  case sim_state::paused:
    return qemu.role == sim_role::target && !qemu.has_run ? wire::run_state::incoming
                                                          : wire::run_state::paused;
  case sim_state::postmigrate:
    return wire::run_state::postmigrate;
  case sim_state::starting:
    return qemu.role == sim_role::target ? wire::run_state::incoming : wire::run_state::other;
  case sim_state::finishing:
    break;
  }
  return wire::run_state::other;
}

namespace {

sim_copy copy_of(const sim_qemu& qemu) {
  // A source in the switchover counts: it runs on by itself unless the target has everything.
  const bool is_whole = !qemu.is_starting() && qemu.state != sim_state::waiting;
  return {qemu.node, qemu.vm, state_of(qemu), qemu.number, qemu.runs(), is_whole, qemu.memory};
}

} // namespace

sim_park::sim_park(event_queue& queue, luck chance, sim_machine_settings settings)
  : queue_(queue), chance_(chance), stream_chance_(chance.fork("streams")),
    token_chance_(chance.fork("tokens")), settings_(std::move(settings)) {}

// -- nodes ---------------------------------------------------------------------------------------

sim_park::node_part& sim_park::at(const node_id& node) {
  if (const auto found = nodes_.find(node); found != nodes_.end())
    return found->second;
  return nodes_.emplace(node, node_part{chance_.fork(node.value)}).first->second;
}

const sim_park::node_part* sim_park::part_of(const node_id& node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : &found->second;
}

void sim_park::set_listener(const node_id& node, sim_listener* listener) {
  at(node).doors.clear();
  at(node).listener = listener;
}

void sim_park::remove_listener(const node_id& node, sim_listener* listener) {
  auto& part = at(node);
  if (part.listener != listener)
    return;
  part.listener = nullptr;
  part.doors.clear();
  const auto streams = part.streams;
  for (const auto id : streams)
    if (const auto found = streams_.find(id); found != streams_.end()) {
      const auto stream = found->second;
      if (stream->phase == sim_phase::setting_up && stream->source->node == node)
        break_both(stream, "the source's agent went away before the stream began");
    }
}

nanoseconds sim_park::command_time(const node_id& node) {
  auto& part = at(node);
  return settings_.command.draw(part.chance) * part.times_slower;
}

void sim_park::kill_node(const node_id& node) {
  auto& part = at(node);
  part.doors.clear();
  if (auto* listener = std::exchange(part.listener, nullptr))
    listener->host_died();
  for (const auto& qemu : all_at(node))
    end_process(qemu, "died with its host");
}

void sim_park::refuse_receive(const node_id& node, std::uint32_t count, const std::string& reason) {
  at(node).refusals += count;
  at(node).refusal = reason;
}

void sim_park::slow_down(const node_id& node, std::uint32_t times) {
  at(node).times_slower = times == 0 ? 1 : times;
}

// -- QEMUs ---------------------------------------------------------------------------------------

sim_qemu_ptr sim_park::find(const node_id& node, vm_id vm) const {
  const auto* part = part_of(node);
  if (part == nullptr || !part->qemus.contains(vm))
    return nullptr;
  return part->qemus.at(vm);
}

std::vector<sim_qemu_ptr> sim_park::all_at(const node_id& node) const {
  std::vector<sim_qemu_ptr> all;
  if (const auto* part = part_of(node))
    for (const auto& [vm, qemu] : part->qemus)
      all.push_back(qemu);
  return all;
}

std::vector<sim_qemu_ptr> sim_park::all_of(vm_id vm) const {
  std::vector<sim_qemu_ptr> all;
  if (const auto found = by_vm_.find(vm); found != by_vm_.end())
    for (const auto& [node, qemu] : found->second)
      all.push_back(qemu);
  return all;
}

std::vector<sim_copy> sim_park::copies() const {
  std::vector<sim_copy> all;
  for (const auto& [vm, by_node] : by_vm_)
    for (const auto& [node, qemu] : by_node)
      all.push_back(copy_of(*qemu));
  return all;
}

std::vector<sim_copy> sim_park::copies(vm_id vm) const {
  std::vector<sim_copy> all;
  if (const auto found = by_vm_.find(vm); found != by_vm_.end())
    for (const auto& [node, qemu] : found->second)
      all.push_back(copy_of(*qemu));
  return all;
}

std::uint64_t sim_park::newest_memory(vm_id vm) const {
  const auto found = memories_.find(vm);
  return found == memories_.end() ? 0 : found->second;
}

sim_qemu_ptr sim_park::add(const node_id& node, vm_id vm, sim_launch launch, epoch number) {
  auto qemu = std::make_shared<sim_qemu>();
  qemu->node = node;
  qemu->vm = vm;
  qemu->launch = std::move(launch);
  if (const auto load = loads_.find(vm); load != loads_.end())
    qemu->load = load->second;
  qemu->number = number;
  if (number > epoch{})
    qemu->role = sim_role::target;
  at(node).qemus[vm] = qemu;
  by_vm_[vm][node] = qemu;
  return qemu;
}

sim_qemu_ptr sim_park::spawn(const node_id& node, vm_id vm, sim_launch launch, epoch number) {
  auto qemu = add(node, vm, std::move(launch), number);
  auto& part = at(node);
  if (qemu->role == sim_role::target && part.refusals > 0) {
    --part.refusals;
    qemu->launch.failure = part.refusal;
  }
  const auto time = settings_.start.draw(part.chance) * part.times_slower;
  qemu->ready_at = queue_.now() + time;
  after(time, [qemu](sim_park& self) { self.come_up(qemu); });
  return qemu;
}

void sim_park::come_up(const sim_qemu_ptr& qemu) {
  if (qemu->is_gone)
    return;
  if (!qemu->launch.failure.empty())
    return end_process(qemu, "exited with status 1: " + qemu->launch.failure);
  if (qemu->role == sim_role::target) {
    qemu->state = sim_state::waiting;
  } else {
    // It starts from its disks: no copy has a newer memory.
    qemu->memory = newest_memory(qemu->vm);
    let_run(qemu);
  }
  tell(qemu, {sim_news::kind::up, qemu->number, {}, {}, wall_at(qemu->node), {}});
  note(qemu, "started");
}

void sim_park::put(const node_id& node, vm_id vm, sim_launch launch, wire::run_state state) {
  const auto qemu = add(node, vm, std::move(launch), epoch{});
  qemu->ready_at = queue_.now();
  if (state == wire::run_state::running)
    let_run(qemu);
  else
    qemu->state = sim_state::paused;
}

void sim_park::end_process(const sim_qemu_ptr& qemu, const std::string& how) {
  if (qemu->is_gone)
    return;
  qemu->is_gone = true;
  auto& part = at(qemu->node);
  part.qemus.erase(qemu->vm);
  std::erase_if(part.doors, [&](const auto& one) { return one.second.target == qemu; });
  auto& by_node = by_vm_[qemu->vm];
  by_node.erase(qemu->node);
  if (by_node.empty())
    by_vm_.erase(qemu->vm);
  const bool was_up = !qemu->is_starting();
  tell(qemu, {sim_news::kind::gone, qemu->number, {}, "QEMU " + how, wall_at(qemu->node), {}});
  const auto stream = stream_of(qemu);
  if (was_up)
    note(qemu, "gone");
  if (stream)
    lose_end(stream, qemu, how);
}

const wire::machine_facts& sim_park::facts_of(sim_qemu& qemu) {
  // Both ends of a move are started from one config, and it is read once.
  for (const auto& other : all_of(qemu.vm))
    if (!qemu.facts && other->launch.config == qemu.launch.config)
      qemu.facts = other->facts;
  if (!qemu.facts)
    qemu.facts =
      std::make_shared<const wire::machine_facts>(sim_facts(qemu.vm, qemu.launch.config));
  return *qemu.facts;
}

void sim_park::let_run(const sim_qemu_ptr& qemu) {
  auto& newest = memories_[qemu->vm];
  // One that is behind stays behind: what the guest did meanwhile, elsewhere, it will never know.
  if (qemu->memory == newest)
    qemu->memory = ++newest;
  qemu->state = sim_state::running;
  qemu->has_run = true;
  qemu->resumed = wall_at(qemu->node);
}

void sim_park::resume(const sim_qemu_ptr& qemu) {
  if (qemu->runs())
    return;
  let_run(qemu);
  tell(qemu, {sim_news::kind::resumed, qemu->number, {}, {}, qemu->resumed, {}});
  note(qemu, "running");
}

void sim_park::tell(const sim_qemu_ptr& qemu, sim_news news) {
  after(at(qemu->node).news_late, [qemu, news = std::move(news)](sim_park& self) {
    if (auto* listener = self.at(qemu->node).listener)
      listener->take(qemu, news);
  });
}

void sim_park::note(const sim_qemu_ptr& qemu, const char* state) {
  if (on_change)
    on_change({qemu->node, qemu->vm, state, qemu->number});
}

} // namespace drover
