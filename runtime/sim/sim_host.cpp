#include "runtime/sim/sim_host.hpp"

#include <utility>

namespace drover {

class sim_host::seat final : public node_seat {
public:
  seat(sim_host& host, std::uint64_t agent) : host_(host), agent_(agent) {}

  bool take() override {
    if (host_.seated_ != 0 && host_.seated_ != agent_)
      return false;
    host_.seated_ = agent_;
    host_.waiting_.erase(agent_);
    return true;
  }
  void sign(std::string_view controller) override { host_.controller_ = controller; }
  std::string holder() const override {
    return "agent " + std::to_string(host_.seated_) + ", controller " + host_.controller_;
  }
  void wait_in_line() override { host_.waiting_[agent_] = true; }
  void leave_line() override { host_.waiting_.erase(agent_); }
  bool is_awaited() const override { return !host_.waiting_.empty(); }

private:
  sim_host& host_;
  std::uint64_t agent_;
};

class sim_host::mark_shelf final : public mark_store {
public:
  explicit mark_shelf(sim_host& host) : host_(host) {}

  result<std::map<vm_id, run_marks>> load() override { return host_.marks_; }
  result<done> save(vm_id vm, const run_marks& of) override {
    if (host_.marks_failing_ > 0) {
      --host_.marks_failing_;
      return fail(errc::retry, "no space left for the marks", host_.node_.value);
    }
    host_.marks_[vm] = of;
    return done{};
  }
  result<done> forget(vm_id vm) override {
    host_.marks_.erase(vm);
    return done{};
  }

private:
  sim_host& host_;
};

/// One process: what it holds is gone with it, also the tasks that it left with the clock.
class sim_host::agent_program final : public sim_peer {
public:
  agent_program(sim_host& host, std::uint64_t number, sim_peer_output output)
    : host_(host), number_(number), output_(std::move(output)), clock_(host), seat_(host, number),
      marks_(host), store_(host.parts_.store.open(
                      host.node_, [this](const store_operation& o) { desk_->store_operated(o); })),
      desk_(std::make_unique<agent_desk>(
        host.node_, agent_access::control,
        agent_desk_ports{
          clock_, seat_, [this](agent::sender send) { return make_agent(std::move(send)); },
          [this](std::string line) { output_.write(std::move(line)); }, [this] { leave(); }})) {}

  void start() { desk_->start(); }
  void take_line(std::string line) override {
    if (desk_)
      desk_->take_line(std::move(line));
  }
  void input_ended() override {
    if (desk_)
      desk_->input_ended();
  }
  /// After this nothing of it runs any more, also not what store and QEMU still answer: the link
  /// may hold this object until the news has come to its other end.
  void stop() {
    clock_.stop();
    desk_.reset();
    machines_.reset();
    store_.reset();
  }
  const sim_peer_output& output() const { return output_; }

private:
  class process_clock final : public timers {
  public:
    explicit process_clock(const sim_host& host) : host_(host) {}
    ~process_clock() override { stop(); }
    mono_time now() const override { return host_.parts_.clocks.monotonic(host_.node_); }
    void after(nanoseconds delay, std::function<void()> task) override {
      const auto passes = host_.parts_.clocks.world_time(host_.node_, delay);
      host_.parts_.queue.after(passes, [runs = runs_, task = std::move(task)] {
        if (*runs)
          task();
      });
    }
    void stop() { *runs_ = false; }

  private:
    const sim_host& host_;
    std::shared_ptr<bool> runs_ = std::make_shared<bool>(true);
  };

  std::unique_ptr<agent> make_agent(agent::sender send) {
    machines_ = host_.parts_.machines.open(host_.node_);
    agent_settings settings;
    settings.node = host_.node_;
    settings.boot_id = host_.node_.value + "-boot-" + std::to_string(host_.boots_);
    settings.version = DROVER_VERSION;
    settings.pid = static_cast<std::uint32_t>(number_);
    settings.memory_bytes = host_.memory_bytes_;
    settings.cores = 8;
    settings.bandwidth_bytes_per_s = host_.parts_.bandwidth_bytes_per_s;
    settings.wall_now = [&host = host_] { return host.parts_.clocks.wall(host.node_); };
    return std::make_unique<agent>(
      std::move(settings), *store_, *machines_, marks_, clock_, std::move(send));
  }

  /// Not destroyed inside its own call.
  void leave() {
    clock_.after(nanoseconds{0}, [&host = host_, number = number_] { host.forget(number); });
  }

  sim_host& host_;
  std::uint64_t number_;
  sim_peer_output output_;
  process_clock clock_;
  seat seat_;
  mark_shelf marks_;
  std::unique_ptr<store> store_;
  std::unique_ptr<hypervisor> machines_;
  /// Destroyed first: its agent uses the ports. Null = the process has ended.
  std::unique_ptr<agent_desk> desk_;
};

sim_host::sim_host(node_id node, std::uint64_t memory_bytes, sim_host_parts parts)
  : node_(std::move(node)), memory_bytes_(memory_bytes), parts_(parts) {}

sim_host::~sim_host() {
  for (auto& [number, program] : agents_)
    program->stop();
}

std::shared_ptr<sim_peer> sim_host::start_agent(sim_peer_output output) {
  if (!up_)
    return nullptr;
  const auto number = ++agents_started_;
  auto program = std::make_shared<agent_program>(*this, number, std::move(output));
  agents_[number] = program;
  program->start();
  return program;
}

void sim_host::forget(std::uint64_t number) {
  const auto found = agents_.find(number);
  if (found == agents_.end())
    return;
  const auto program = found->second;
  agents_.erase(found);
  waiting_.erase(number);
  if (seated_ == number)
    seated_ = 0;
  program->stop();
  program->output().close();
}

void sim_host::kill_agents() {
  while (!agents_.empty())
    forget(agents_.begin()->first);
}

void sim_host::die() {
  for (auto& [number, program] : agents_)
    program->stop();
  agents_.clear();
  waiting_.clear();
  seated_ = 0;
  marks_.clear();
  up_ = false;
}

void sim_host::boot() {
  up_ = true;
  ++boots_;
}

} // namespace drover
