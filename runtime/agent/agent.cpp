#include "runtime/agent/agent.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace drover {
namespace {

/// How many replies are remembered for a request that is asked again.
constexpr std::size_t answered_max = 4096;
/// For a request that names no deadline.
constexpr nanoseconds deadline_default = std::chrono::minutes{1};

bool is_observing(const wire::request_body& body) {
  return std::holds_alternative<wire::hello>(body) || std::holds_alternative<wire::ping>(body) ||
         std::holds_alternative<wire::list_vms>(body) ||
         std::holds_alternative<wire::inspect_handovers>(body);
}

/// The VM whose handover a request belongs to; none where it carries no ticket.
vm_id vm_of(const wire::request_body& body) {
  return std::visit(
    [](const auto& one) {
      if constexpr (requires { one.evidence; })
        return one.evidence.vm();
      else
        return vm_id{};
    },
    body);
}

/// Held by the request's frame, so that it ends however the request does.
class attention {
public:
  attention(std::multiset<vm_id>& all, vm_id vm) : all_(all), at_(all.insert(vm)) {}
  attention(const attention&) = delete;
  attention& operator=(const attention&) = delete;
  ~attention() { all_.erase(at_); }

private:
  std::multiset<vm_id>& all_;
  const std::multiset<vm_id>::iterator at_;
};

} // namespace

agent::agent(
  agent_settings settings, store& config_store, hypervisor& machines, mark_store& marks,
  timers& clock, sender send)
  : settings_(std::move(settings)), store_(config_store), machines_(machines), machine_(machines),
    mark_store_(marks), timers_(clock), send_(std::move(send)) {
  active_at_ = timers_.now();
  machines_.listen(this);
  if (auto loaded = mark_store_.load())
    marks_ = std::move(*loaded);
  else
    broken_ = loaded.error();
  tasks_.spawn(boot());
}

agent::~agent() { machines_.listen(nullptr); }

task<done> agent::boot() {
  const auto found = co_await machine_.attach();
  attached_ = true;
  if (!found && !broken_)
    broken_ = found.error();
  notify(vm_id{});
  co_return done{};
}

void agent::request(wire::request asked) {
  active_at_ = timers_.now();
  if (const auto known = answered_.find(asked.id); known != answered_.end()) {
    send_(known->second);
    return;
  }
  // What was asked before the controller went is still carried out and answered.
  if (gone_) {
    send_(wire::reply{asked.id, fail(errc::retry, "the agent is ending", settings_.node.value)});
    return;
  }
  if (in_progress_.insert(asked.id).second)
    tasks_.spawn(serve(std::move(asked)));
}

task<done> agent::serve(wire::request asked) {
  const auto until =
    timers_.now() + (asked.deadline.count() > 0 ? nanoseconds{asked.deadline} : deadline_default);
  while (!attached_)
    co_await changed(vm_id{}, deadline_default);
  if (const auto why = refusal(asked.body)) {
    finish(asked.id, tl::unexpected{*why});
    co_return done{};
  }
  const attention at_work{attended_, vm_of(asked.body)};
  auto work = std::visit([&](auto& body) { return handle(std::move(body), until); }, asked.body);
  auto body = co_await std::move(work);
  finish(asked.id, std::move(body));
  look_for_leftovers();
  co_return done{};
}

std::optional<error> agent::refusal(const wire::request_body& body) const {
  if (broken_)
    return *broken_;
  if (!greeted_ && !std::holds_alternative<wire::hello>(body))
    return error{errc::refused, "the first request must be hello", settings_.node.value};
  if (settings_.access == agent_access::observe && !is_observing(body))
    return error{errc::refused, "this agent only observes", settings_.node.value};
  return std::nullopt;
}

void agent::finish(const request_id& id, answered body) {
  wire::reply answer{id, std::move(body)};
  active_at_ = timers_.now();
  in_progress_.erase(id);
  send_(answer);
  if (answered_.emplace(id, std::move(answer)).second)
    answered_order_.push_back(id);
  if (answered_order_.size() > answered_max) {
    answered_.erase(answered_order_.front());
    answered_order_.pop_front();
  }
  // Whoever ends after the controller is gone waits for the requests that are under way.
  notify(vm_id{});
}

void agent::on_stopped(vm_id vm, wall_time at) {
  stopped_[vm] = {at, read_clocks().shift()};
  pauses_[vm] = timers_.now() + std::chrono::seconds{1};
}

void agent::on_resumed(vm_id vm, wall_time) {
  pauses_.erase(vm);
  notify(vm);
}

void agent::on_stream_end(vm_id vm, epoch, wire::stream_end, const std::string&, wall_time at) {
  loaded_[vm] = {at, read_clocks().shift()};
  notify(vm);
  share_bandwidth_anew();
}

void agent::on_exit(vm_id vm, const std::string&) {
  pauses_.erase(vm);
  notify(vm);
  share_bandwidth_anew();
}

void agent::on_progress(vm_id vm, epoch number, const stream_figures& figures) {
  if (gone_)
    return;
  wire::stream_progress report;
  report.vm = vm;
  report.number = number;
  report.transferred_bytes = figures.transferred_bytes;
  report.remaining_bytes = figures.remaining_bytes;
  report.total_bytes = figures.total_bytes;
  report.passes = figures.passes;
  report.expected_downtime_ms = figures.expected_downtime_ms;
  send_(wire::notice{report});
}

} // namespace drover
