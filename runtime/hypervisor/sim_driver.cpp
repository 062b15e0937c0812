#include "runtime/hypervisor/sim_driver.hpp"

#include <algorithm>

namespace drover {

sim_driver::sim_driver(std::shared_ptr<sim_park> park, node_id node)
  : park_(std::move(park)), node_(std::move(node)) {
  park_->set_listener(node_, this);
}

sim_driver::~sim_driver() {
  alive_.reset();
  park_->remove_listener(node_, this);
}

void sim_driver::host_died() {
  alive_.reset();
  events_ = nullptr;
  machines_.clear();
  outcomes_.clear();
}

sim_driver::machine_ptr sim_driver::known(vm_id vm) const {
  const auto found = machines_.find(vm);
  return found == machines_.end() ? nullptr : found->second;
}

error sim_driver::of_vm(errc code, std::string what, vm_id vm) {
  return {code, std::move(what), "VM " + to_string(vm)};
}

error sim_driver::not_here(vm_id vm) {
  return of_vm(errc::conflict, "no QEMU of this VM runs here", vm);
}

// -- what runs here ------------------------------------------------------------------------------

std::string sim_driver::version() const {
  return std::string("QEMU ") + sim_qemu_version + ", simulated";
}

std::vector<machine_status> sim_driver::list() const {
  std::vector<machine_status> all;
  all.reserve(machines_.size());
  for (const auto& [vm, m] : machines_)
    all.push_back({vm, state_of(*m->qemu), m->qemu->number});
  return all;
}

std::optional<machine_status> sim_driver::find(vm_id vm) const {
  const auto m = known(vm);
  if (!m)
    return std::nullopt;
  return machine_status{vm, state_of(*m->qemu), m->qemu->number};
}

std::vector<std::string> sim_driver::blockers(const std::string& config) const {
  return sim_blockers(config);
}

result<std::string> sim_driver::started_config(vm_id vm) const {
  if (const auto m = known(vm))
    return m->qemu->launch.config;
  return tl::unexpected(not_here(vm));
}

void sim_driver::facts(vm_id vm, callback<wire::machine_facts> answer) {
  const auto m = known(vm);
  if (!m)
    return say<wire::machine_facts>(std::move(answer), tl::unexpected(not_here(vm)));
  later(park_->command_time(node_), [this, m, answer = std::move(answer)] {
    if (m->qemu->is_gone)
      return answer(tl::unexpected(of_vm(errc::lost, "QEMU is gone", m->qemu->vm)));
    answer(park_->facts_of(*m->qemu));
  });
}

std::optional<wire::machine_facts> sim_driver::planned_facts(vm_id vm) const {
  const auto m = known(vm);
  if (!m || !m->qemu->launch.is_planned)
    return std::nullopt;
  return park_->facts_of(*m->qemu);
}

// -- found again ---------------------------------------------------------------------------------

void sim_driver::attach(callback<std::vector<machine_status>> answer) {
  auto time = park_->command_time(node_);
  // One that still starts answers when it is there.
  for (const auto& qemu : park_->all_at(node_))
    if (!known(qemu->vm))
      time = std::max(time, qemu->ready_at - park_->queue().now());
  later(time, [this, answer = std::move(answer)] {
    for (const auto& qemu : park_->all_at(node_))
      if (!known(qemu->vm))
        adopt(qemu);
    const auto told = machines_;
    const life alive = alive_;
    answer(list());
    for (const auto& [vm, m] : told) {
      if (alive.expired())
        return;
      const auto* outcome = outcome_of(*m);
      if (!std::exchange(m->outcome_untold, false) || outcome == nullptr || events_ == nullptr)
        continue;
      const auto end = *outcome;
      events_->on_stream_end(vm, m->qemu->number, end.end, end.reason, park_->wall_at(node_));
    }
  });
}

void sim_driver::adopt(const sim_qemu_ptr& qemu) {
  const auto m = std::make_shared<machine>();
  m->qemu = qemu;
  m->is_up = true;
  machines_[qemu->vm] = m;
  if (qemu->role == sim_role::none)
    return;
  if (qemu->role == sim_role::target) {
    if (qemu->is_loaded)
      learn(m, wire::stream_end::completed, {});
    // One that runs was told to: nobody waits for the end of its stream any more.
    m->outcome_untold = m->outcome_untold && !qemu->runs();
    return;
  }
  if (qemu->stream != 0) {
    const auto stream = park_->stream_of(qemu);
    if (!stream || stream->has_begun)
      return;
    // The connection was its agent's, and is gone with it.
    park_->cancel(qemu);
  }
  if (qemu->state == sim_state::postmigrate)
    return learn(m, wire::stream_end::completed, {});
  if (qemu->last_end == wire::stream_end::cancelled)
    return learn(m, wire::stream_end::cancelled, qemu->last_reason);
  learn(
    m, wire::stream_end::failed,
    qemu->last_reason.empty() ? "the stream had not begun when the agent went away"
                              : qemu->last_reason);
}

void sim_driver::learn(const machine_ptr& m, wire::stream_end end, const std::string& reason) {
  outcomes_[m->qemu->vm] = {
    m->qemu->number,
    {end, reason, std::nullopt, std::nullopt, m->qemu->last_figures.transferred_bytes}};
  m->outcome_untold = true;
}

// -- begin and end -------------------------------------------------------------------------------

void sim_driver::start(vm_id vm, const std::string& config, callback<machine_status> answer) {
  if (known(vm) || park_->find(node_, vm))
    return say<machine_status>(
      std::move(answer), tl::unexpected(of_vm(errc::conflict, "its QEMU runs here already", vm)));
  auto plan = plan_sim_launch(vm, config, sim_launch_mode::run);
  if (!plan)
    return say<machine_status>(std::move(answer), tl::unexpected(plan.error()));
  launch(vm, std::move(*plan), epoch{}, std::move(answer));
}

void sim_driver::receive(
  vm_id vm, epoch number, const std::string& config, callback<machine_status> answer) {
  const auto refuse = [&](error why) {
    say<machine_status>(std::move(answer), tl::unexpected(std::move(why)));
  };
  const auto m = known(vm);
  if (!m && park_->find(node_, vm))
    return refuse(of_vm(errc::conflict, "a QEMU of this VM is here that was not found yet", vm));
  if (m) {
    const auto status = *find(vm);
    if (status.number != number || status.state != wire::run_state::incoming)
      return refuse(of_vm(
        errc::conflict, "another QEMU of this VM is here, under epoch " + to_string(status.number),
        vm));
    if (!m->is_up)
      return m->start_answers.push_back(std::move(answer));
    return say<machine_status>(std::move(answer), status);
  }
  if (number == epoch{})
    return refuse(of_vm(errc::invalid, "epoch 0 is no handover", vm));
  auto plan = plan_sim_launch(vm, config, sim_launch_mode::receive);
  if (!plan)
    return refuse(plan.error());
  launch(vm, std::move(*plan), number, std::move(answer));
}

void sim_driver::launch(vm_id vm, sim_launch plan, epoch number, callback<machine_status> answer) {
  if (!alive_)
    return;
  outcomes_.erase(vm);
  const auto m = std::make_shared<machine>();
  m->start_answers.push_back(std::move(answer));
  m->qemu = park_->spawn(node_, vm, std::move(plan), number);
  machines_[vm] = m;
}

void sim_driver::quit(vm_id vm, callback<done> answer) {
  end(vm, "exited with status 0", std::move(answer));
}

void sim_driver::kill(vm_id vm, callback<done> answer) {
  end(vm, "was killed by signal 9", std::move(answer));
}

void sim_driver::end(vm_id vm, const char* how, callback<done> answer) {
  const auto m = known(vm);
  if (!m)
    return say<done>(std::move(answer), done{});
  m->end_answers.push_back(std::move(answer));
  command(m, [this, m, how] { park_->end_process(m->qemu, how); });
}

} // namespace drover
