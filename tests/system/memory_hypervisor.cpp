#include "tests/system/memory_hypervisor.hpp"

#include "runtime/store/vm_config.hpp"

#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <utility>

namespace drover::testing {

using wire::run_state;
using wire::stream_end;

template <class T>
void memory_hypervisor::later(callback<T> answer, result<T> value) {
  asio::post(loop_, [answer = std::move(answer), value = std::move(value)] { answer(value); });
}

void memory_hypervisor::run_already(const std::map<vm_id, std::string>& configs) {
  for (const auto& [vm, config] : configs)
    machines_[vm].config = config;
}

void memory_hypervisor::attach(callback<std::vector<machine_status>> answer) {
  later<std::vector<machine_status>>(std::move(answer), list());
}

std::vector<machine_status> memory_hypervisor::list() const {
  std::vector<machine_status> all;
  for (const auto& [vm, m] : machines_)
    all.push_back({vm, m.state, m.number});
  return all;
}

std::optional<machine_status> memory_hypervisor::find(vm_id vm) const {
  const auto found = machines_.find(vm);
  if (found == machines_.end())
    return std::nullopt;
  return machine_status{vm, found->second.state, found->second.number};
}

void memory_hypervisor::start(
  vm_id vm, const std::string& config, callback<machine_status> answer) {
  machines_[vm].config = config;
  later<machine_status>(std::move(answer), *find(vm));
}

result<std::string> memory_hypervisor::started_config(vm_id vm) const {
  const auto found = machines_.find(vm);
  if (found == machines_.end())
    return fail(errc::lost, "no machine", to_string(vm));
  return found->second.config;
}

void memory_hypervisor::facts(vm_id vm, callback<wire::machine_facts> answer) {
  const auto config = vm_config::parse(machines_.at(vm).config);
  wire::machine_facts facts;
  facts.machine = "memory";
  facts.cpus = config ? config->cpus() : 1;
  facts.memory_bytes = config ? config->memory_bytes() : 0;
  later<wire::machine_facts>(std::move(answer), facts);
}

void memory_hypervisor::end(vm_id vm, callback<done> answer) {
  if (machines_.erase(vm) > 0 && events_ != nullptr)
    asio::post(loop_, [this, vm] { events_->on_exit(vm, "ended"); });
  later<done>(std::move(answer), done{});
}

void memory_hypervisor::receive(
  vm_id vm, epoch number, const std::string& config, callback<machine_status> answer) {
  auto& m = machines_[vm];
  m.state = run_state::incoming;
  m.number = number;
  m.config = config;
  later<machine_status>(std::move(answer), *find(vm));
}

void memory_hypervisor::open_door(
  vm_id vm, epoch number, const stream_form& form, callback<listening> answer) {
  auto& m = machines_.at(vm);
  if (m.door)
    m.door->close();
  const auto token = make_secret();
  auto door =
    stream_door::open(loop_, "127.0.0.1", token, [this, vm, number](result<unique_fd> connection) {
      if (connection && give_go_ahead(*connection))
        load(vm, number, std::move(*connection));
    });
  if (!door)
    return later<listening>(std::move(answer), tl::unexpected<error>(door.error()));
  m.door = *door;
  later<listening>(
    std::move(answer),
    listening{
      "127.0.0.1", m.door->port(), token, form.kind == stream_kind::tls ? make_secret() : ""});
}

void memory_hypervisor::load(vm_id vm, epoch number, unique_fd connection) {
  const auto here = std::make_shared<way>(loop_, std::move(connection));
  asio::async_read(
    here->line, asio::buffer(&here->byte, 1),
    [this, vm, number, here](const asio::error_code& broken, std::size_t) {
      wire::outcome outcome;
      outcome.end = broken ? stream_end::failed : stream_end::completed;
      outcome.ended = wall_now();
      finish(vm, number, outcome);
      if (!broken)
        asio::async_write(
          here->line, asio::buffer(&here->byte, 1),
          [here](const asio::error_code&, std::size_t) {});
    });
}

void memory_hypervisor::stream(
  vm_id vm, epoch number, const listening& door, const stream_limits&, callback<done> answer) {
  auto& m = machines_.at(vm);
  if (m.number == number && (m.knock || m.ends.contains(number)))
    return later<done>(std::move(answer), done{});
  m.number = number;
  m.knock = stream_knock::knock(
    loop_, door.host, door.port, door.token,
    [this, vm, number, answer](result<unique_fd> connection) {
      if (!connection)
        return answer(tl::unexpected<error>(connection.error()));
      answer(done{});
      send(vm, number, std::move(*connection));
    });
}

void memory_hypervisor::send(vm_id vm, epoch number, unique_fd connection) {
  const auto here = std::make_shared<way>(loop_, std::move(connection));
  const auto stopped = wall_now();
  events_->on_stopped(vm, stopped);
  here->byte = '.';
  asio::async_write(
    here->line, asio::buffer(&here->byte, 1), [here](const asio::error_code&, std::size_t) {});
  asio::async_read(
    here->line, asio::buffer(&here->byte, 1),
    [this, vm, number, here, stopped](const asio::error_code& broken, std::size_t) {
      wire::outcome outcome;
      outcome.end = broken ? stream_end::failed : stream_end::completed;
      outcome.stopped = stopped;
      outcome.ended = wall_now();
      if (!broken && machines_.contains(vm))
        machines_.at(vm).state = run_state::postmigrate;
      finish(vm, number, outcome);
    });
}

void memory_hypervisor::finish(vm_id vm, epoch number, wire::outcome outcome) {
  const auto found = machines_.find(vm);
  if (found == machines_.end())
    return;
  found->second.ends[number] = outcome;
  found->second.knock.reset();
  events_->on_stream_end(vm, number, outcome.end, {}, *outcome.ended);
}

void memory_hypervisor::set_downtime_limit(vm_id, std::uint32_t, callback<done> answer) {
  later<done>(std::move(answer), done{});
}

void memory_hypervisor::set_bandwidth(vm_id, std::uint64_t, callback<done> answer) {
  later<done>(std::move(answer), done{});
}

void memory_hypervisor::cancel_stream(vm_id, epoch, callback<done> answer) {
  later<done>(std::move(answer), fail(errc::refused, "it has stopped already"));
}

std::optional<wire::outcome> memory_hypervisor::stream_outcome(vm_id vm, epoch number) const {
  const auto found = machines_.find(vm);
  if (found == machines_.end() || !found->second.ends.contains(number))
    return std::nullopt;
  return found->second.ends.at(number);
}

void memory_hypervisor::resume(vm_id vm, callback<wall_time> answer) {
  const auto at = wall_now();
  machines_.at(vm).state = run_state::running;
  asio::post(loop_, [this, vm, at] { events_->on_resumed(vm, at); });
  later<wall_time>(std::move(answer), at);
}

} // namespace drover::testing
