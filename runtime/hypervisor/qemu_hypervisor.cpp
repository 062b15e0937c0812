#include "runtime/hypervisor/qemu_hypervisor.hpp"

#include "runtime/hypervisor/binary_probe.hpp"
#include "runtime/hypervisor/blockers.hpp"
#include "runtime/hypervisor/command_line.hpp"
#include "runtime/hypervisor/host_probe.hpp"
#include "runtime/hypervisor/planned_facts.hpp"
#include "runtime/hypervisor/qemu_machine.hpp"

#include <utility>

namespace drover {

class qemu_hypervisor::driver : public std::enable_shared_from_this<driver> {
public:
  driver(asio::io_context& loop, qemu_settings settings)
    : host(std::make_shared<machine_host>(loop, std::move(settings))),
      probe_(host->settings.qemu_binary) {
    host->settings.run_dir = prepared_run_dir(host->settings.run_dir);
    best_ = host->settings.accel == acceleration::tcg || !kvm_works() ? accelerator::tcg
                                                                      : accelerator::kvm;
    host->remove = [this](vm_id vm) { machines.erase(vm); };
  }

  ~driver() {
    host->is_open = false;
    host->events = nullptr;
    for (const auto& [vm, machine] : machines)
      machine->detach();
    host->end_starts();
  }

  std::shared_ptr<machine_host> host;
  std::map<vm_id, std::shared_ptr<qemu_machine>> machines;

  std::shared_ptr<qemu_machine> find(vm_id vm) const {
    const auto at = machines.find(vm);
    return at == machines.end() ? nullptr : at->second;
  }

  const result<binary_facts>& binary() const { return probe_.facts(); }

  result<host_facts> facts() const {
    const auto& probed = binary();
    if (!probed)
      return tl::unexpected(probed.error());
    host_facts facts;
    facts.qemu_version = probed->version;
    facts.machines = probed->machines;
    facts.machine_aliases = probed->aliases;
    facts.switch_words = probed->switch_words;
    facts.best = best_;
    facts.bridges = bridges_here();
    facts.storages = storage_roots(host->settings.storages);
    return facts;
  }

  /// A config that can be launched here, pinned, with its argv; else `refused` with every reason.
  result<launch_plan> plan(vm_id vm, const std::string& text, epoch number) const {
    const auto where = "VM " + to_string(vm);
    const auto config = vm_config::parse(text, where);
    if (!config)
      return tl::unexpected(config.error());
    const auto here = facts();
    if (!here)
      return tl::unexpected(here.error());
    auto reasons = start_blockers(*config, *here);
    const auto mode = number > epoch{} ? launch_mode::receive : launch_mode::run;
    if (mode == launch_mode::receive)
      for (auto& reason : move_blockers(*config, *here))
        reasons.push_back(std::move(reason));
    if (!reasons.empty())
      return fail(errc::refused, joined(reasons), where);
    launch_facts launch{vm, host->settings.run_dir, probe_.file(), mode, *here};
    const auto ready = pinned(*config, launch);
    launch_plan made{
      vm,
      number,
      ready.text(),
      command_line(ready, launch),
      tap_bridges(ready),
      binary()->switches,
      switches_of_any(),
      std::nullopt};
    const bool is_whole = is_planned_whole(ready);
    if (is_whole)
      made.facts = drover::planned_facts(ready, launch);
    else
      made.switches.forget_all();
    // Without a disk there are no locks that its source could still need.
    if (mode == launch_mode::receive && !(is_whole && ready.disks().empty()))
      made.wanted = switches_of_target();
    return made;
  }

  void launch(launch_plan plan, callback<machine_status> answer) {
    const auto vm = plan.vm;
    host->outcomes.erase(vm);
    machines[vm] = qemu_machine::launch(host, std::move(plan), std::move(answer));
  }

  template <class T>
  void refuse(const callback<T>& answer, error why) {
    host->answer_later<T>(answer, tl::unexpected(std::move(why)));
  }

  /// Calls `use` with the machine, or answers that there is none.
  template <class T, class Use>
  void with(vm_id vm, callback<T> answer, Use use) {
    if (const auto machine = find(vm))
      return use(*machine, std::move(answer));
    refuse<T>(answer, {errc::conflict, "no QEMU of this VM runs here", "VM " + to_string(vm)});
  }

private:
  static std::string joined(const std::vector<std::string>& sentences) {
    std::string all;
    for (const auto& sentence : sentences)
      all += (all.empty() ? "" : " ") + sentence;
    return all;
  }

  mutable binary_probe probe_;
  accelerator best_ = accelerator::tcg;
};

qemu_hypervisor::qemu_hypervisor(asio::io_context& loop, qemu_settings settings)
  : driver_(std::make_shared<driver>(loop, std::move(settings))) {}

qemu_hypervisor::~qemu_hypervisor() = default;

void qemu_hypervisor::listen(hypervisor_events* events) { driver_->host->events = events; }

void qemu_hypervisor::attach(callback<std::vector<machine_status>> answer) {
  // The one that is asked last answers; the first count is this call's own.
  const auto waiting = std::make_shared<std::size_t>(1);
  const auto one_is_known = [weak = std::weak_ptr(driver_), waiting, answer] {
    const auto self = weak.lock();
    if (!self || --*waiting > 0)
      return;
    std::vector<machine_status> all;
    std::vector<std::shared_ptr<qemu_machine>> told;
    for (const auto& [vm, machine] : self->machines) {
      all.push_back(machine->status());
      told.push_back(machine);
    }
    answer(std::move(all));
    for (const auto& machine : told)
      if (self->host->is_open)
        machine->report_missed();
  };
  for (const auto vm : vms_in(driver_->host->settings.run_dir)) {
    if (driver_->find(vm))
      continue;
    ++*waiting;
    if (auto machine = qemu_machine::adopt(driver_->host, vm, one_is_known))
      driver_->machines[vm] = std::move(*machine);
    else
      --*waiting;
  }
  asio::post(driver_->host->loop, one_is_known);
}

std::string qemu_hypervisor::version() const {
  const auto& binary = driver_->binary();
  return binary ? "QEMU " + binary->version : "no QEMU: " + to_string(binary.error());
}

std::string qemu_hypervisor::encryption_objection() const {
  const auto& probed = driver_->binary();
  if (!probed || probed->encryption_fault.empty())
    return {};
  return "its QEMU " + probed->version + " cannot encrypt a stream with tls-creds-psk (" +
         probed->encryption_fault + ")";
}

std::vector<std::string> qemu_hypervisor::litter() const {
  const auto& dir = driver_->host->settings.run_dir;
  std::vector<std::string> names;
  for (const auto vm : streams_in(dir))
    if (!driver_->find(vm))
      for (auto& name : stream_files(dir, vm))
        names.push_back(std::move(name));
  return names;
}

void qemu_hypervisor::sweep() {
  const auto& dir = driver_->host->settings.run_dir;
  for (const auto vm : streams_in(dir))
    if (!driver_->find(vm)) {
      const run_files files{dir, vm};
      files.remove_key();
      files.remove_multifd();
    }
}

std::vector<machine_status> qemu_hypervisor::list() const {
  std::vector<machine_status> all;
  for (const auto& [vm, machine] : driver_->machines)
    all.push_back(machine->status());
  return all;
}

std::optional<machine_status> qemu_hypervisor::find(vm_id vm) const {
  if (const auto machine = driver_->find(vm))
    return machine->status();
  return std::nullopt;
}

std::vector<std::string> qemu_hypervisor::blockers(const std::string& config) const {
  const auto parsed = vm_config::parse(config);
  if (!parsed)
    return {to_string(parsed.error())};
  const auto here = driver_->facts();
  if (!here)
    return {to_string(here.error())};
  auto reasons = start_blockers(*parsed, *here);
  for (auto& reason : move_blockers(*parsed, *here))
    reasons.push_back(std::move(reason));
  return reasons;
}

void qemu_hypervisor::start(vm_id vm, const std::string& config, callback<machine_status> answer) {
  if (driver_->find(vm))
    return driver_->refuse(
      answer, {errc::conflict, "its QEMU runs here already", "VM " + to_string(vm)});
  auto plan = driver_->plan(vm, config, epoch{});
  if (!plan)
    return driver_->refuse(answer, plan.error());
  driver_->launch(std::move(*plan), std::move(answer));
}

result<std::string> qemu_hypervisor::started_config(vm_id vm) const {
  if (const auto machine = driver_->find(vm))
    return machine->config();
  return fail(errc::conflict, "no QEMU of this VM runs here", "VM " + to_string(vm));
}

void qemu_hypervisor::receive(
  vm_id vm, epoch number, const std::string& config, callback<machine_status> answer) {
  if (const auto machine = driver_->find(vm)) {
    const auto status = machine->status();
    if (status.number != number || status.state != wire::run_state::incoming)
      return driver_->refuse(
        answer,
        {errc::conflict, "another QEMU of this VM is here, under epoch " + to_string(status.number),
         "VM " + to_string(vm)});
    if (machine->is_starting())
      return machine->join_start(std::move(answer));
    return driver_->host->answer_later<machine_status>(std::move(answer), status);
  }
  if (number == epoch{})
    return driver_->refuse(
      answer, {errc::invalid, "epoch 0 is no handover", "VM " + to_string(vm)});
  auto plan = driver_->plan(vm, config, number);
  if (!plan)
    return driver_->refuse(answer, plan.error());
  driver_->launch(std::move(*plan), std::move(answer));
}

void qemu_hypervisor::facts(vm_id vm, callback<wire::machine_facts> answer) {
  driver_->with(vm, std::move(answer), [](auto& m, auto a) { m.facts(std::move(a)); });
}

std::optional<wire::machine_facts> qemu_hypervisor::planned_facts(vm_id vm) const {
  const auto machine = driver_->find(vm);
  return machine ? machine->planned_facts() : std::nullopt;
}

void qemu_hypervisor::quit(vm_id vm, callback<done> answer) {
  if (const auto machine = driver_->find(vm))
    return machine->quit(std::move(answer));
  driver_->host->answer_later<done>(std::move(answer), done{});
}

void qemu_hypervisor::kill(vm_id vm, callback<done> answer) {
  if (const auto machine = driver_->find(vm))
    return machine->kill(std::move(answer));
  driver_->host->answer_later<done>(std::move(answer), done{});
}

std::uint32_t qemu_hypervisor::channels_max(vm_id vm) const {
  const auto machine = driver_->find(vm);
  return machine ? machine->channels_max() : 1;
}

void qemu_hypervisor::open_door(
  vm_id vm, epoch number, const stream_form& form, callback<listening> answer) {
  driver_->with(vm, std::move(answer), [number, form](auto& m, auto a) {
    m.open_door(number, form, std::move(a));
  });
}

void qemu_hypervisor::stream(
  vm_id vm, epoch number, const listening& door, const stream_limits& limits,
  callback<done> answer) {
  driver_->with(
    vm, std::move(answer), [&](auto& m, auto a) { m.stream(number, door, limits, std::move(a)); });
}

void qemu_hypervisor::set_downtime_limit(vm_id vm, std::uint32_t limit_ms, callback<done> answer) {
  driver_->with(vm, std::move(answer), [limit_ms](auto& m, auto a) {
    m.set_downtime_limit(limit_ms, std::move(a));
  });
}

void qemu_hypervisor::set_bandwidth(vm_id vm, std::uint64_t bytes_per_s, callback<done> answer) {
  driver_->with(vm, std::move(answer), [bytes_per_s](auto& m, auto a) {
    m.set_bandwidth(bytes_per_s, std::move(a));
  });
}

void qemu_hypervisor::cancel_stream(vm_id vm, epoch number, callback<done> answer) {
  driver_->with(
    vm, std::move(answer), [number](auto& m, auto a) { m.cancel_stream(number, std::move(a)); });
}

std::optional<wire::outcome> qemu_hypervisor::stream_outcome(vm_id vm, epoch number) const {
  const auto at = driver_->host->outcomes.find(vm);
  if (at == driver_->host->outcomes.end() || at->second.first != number)
    return std::nullopt;
  return at->second.second;
}

void qemu_hypervisor::resume(vm_id vm, callback<wall_time> answer) {
  driver_->with(vm, std::move(answer), [](auto& m, auto a) { m.resume(std::move(a)); });
}

} // namespace drover
