#include "runtime/agent/agent_loop.hpp"

#include "runtime/agent/agent_desk.hpp"
#include "runtime/agent/file_mark_store.hpp"
#include "runtime/agent/node_lock.hpp"
#include "runtime/hypervisor/qemu_hypervisor.hpp"
#include "runtime/wire/limits.hpp"
#include "runtime/wire/line_framer.hpp"

#include <asio.hpp>
#include <csignal>
#include <deque>
#include <fstream>
#include <memory>
#include <sys/sysinfo.h>
#include <thread>
#include <unistd.h>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// How long the last answers may take to be read.
constexpr auto drain_patience = 1s;
/// Unsent answers beyond this mean that nobody reads them any more.
constexpr std::size_t unsent_bytes_max = 64U * 1024 * 1024;

class loop_timers final : public timers {
public:
  explicit loop_timers(asio::io_context& loop) : loop_(loop) {}
  mono_time now() const override { return monotonic_now(); }
  void after(nanoseconds delay, std::function<void()> task) override {
    auto timer = std::make_shared<asio::steady_timer>(loop_, delay);
    timer->async_wait([timer, task = std::move(task)](const asio::error_code& problem) {
      if (!problem)
        task();
    });
  }

private:
  asio::io_context& loop_;
};

std::string boot_id() {
  std::ifstream file{"/proc/sys/kernel/random/boot_id"};
  std::string id;
  std::getline(file, id);
  return id;
}

agent_settings settings_of(const agent_loop_settings& from) {
  agent_settings s;
  s.node = from.qemu.node;
  s.boot_id = boot_id();
  s.version = DROVER_VERSION;
  s.pid = static_cast<std::uint32_t>(getpid());
  struct sysinfo host {};
  if (sysinfo(&host) == 0)
    s.memory_bytes = std::uint64_t{host.totalram} * host.mem_unit;
  s.cores = std::thread::hardware_concurrency();
  s.access = from.access;
  s.bandwidth_bytes_per_s = from.bandwidth_bytes_per_s;
  s.wall_now = [] { return wall_now(); };
  return s;
}

/// Standard input and output, the lock, and the desk between them.
class agent_process {
public:
  explicit agent_process(const agent_loop_settings& settings)
    : settings_(settings), lock_(settings.qemu.run_dir), clock_(loop_),
      marks_(settings.qemu.run_dir), in_(loop_, ::dup(STDIN_FILENO)),
      out_(loop_, ::dup(STDOUT_FILENO)), signals_(loop_, SIGTERM),
      desk_(
        settings.qemu.node, settings.access,
        {clock_, lock_, [this](agent::sender send) { return make_agent(std::move(send)); },
         [this](std::string line) { write(std::move(line)); }, [this] { leave(); }}) {}

  result<done> run() {
    signals_.async_wait([this](const asio::error_code& problem, int) {
      if (!problem)
        desk_.input_ended();
    });
    auto made = make_store(
      settings_.store, [this](std::function<void()> task) { asio::post(loop_, std::move(task)); },
      [this](const store_operation& operation) { desk_.store_operated(operation); });
    if (!made)
      return tl::unexpected(made.error());
    store_ = std::move(*made);
    desk_.start();
    read();
    loop_.run();
    return done{};
  }

private:
  std::unique_ptr<agent> make_agent(agent::sender send) {
    auto qemu = settings_.qemu;
    if (settings_.access == agent_access::observe)
      qemu.access = hypervisor_access::observe;
    if (settings_.make_hypervisor)
      machines_ = settings_.make_hypervisor(loop_);
    else
      machines_ = std::make_unique<qemu_hypervisor>(loop_, std::move(qemu));
    return std::make_unique<agent>(
      settings_of(settings_), *store_, *machines_, marks_, clock_, std::move(send));
  }

  void leave() {
    if (unsent_.empty() || output_broken_ || std::exchange(leaving_, true))
      return loop_.stop();
    clock_.after(drain_patience, [this] { loop_.stop(); });
  }

  void read() {
    in_.async_read_some(
      asio::buffer(bytes_), [this](const asio::error_code& problem, std::size_t n) {
        if (problem)
          return desk_.input_ended();
        const auto fed = framer_.feed(
          {bytes_.data(), n}, [this](std::string line) { desk_.take_line(std::move(line)); });
        if (!fed)
          return desk_.framing_broken(fed.error());
        read();
      });
  }

  void write(std::string line) {
    unsent_bytes_ += line.size() + 1;
    if (output_broken_ || unsent_bytes_ > unsent_bytes_max)
      return desk_.input_ended();
    line += '\n';
    unsent_.push_back(std::move(line));
    if (unsent_.size() == 1)
      write_first();
  }

  void write_first() {
    asio::async_write(
      out_, asio::buffer(unsent_.front()), [this](const asio::error_code& problem, std::size_t) {
        if (problem) {
          output_broken_ = true;
          return desk_.input_ended();
        }
        unsent_bytes_ -= unsent_.front().size();
        unsent_.pop_front();
        if (!unsent_.empty())
          write_first();
        else if (leaving_)
          loop_.stop();
      });
  }

  const agent_loop_settings& settings_;
  asio::io_context loop_{1};
  node_lock lock_;
  loop_timers clock_;
  file_mark_store marks_;
  std::unique_ptr<store> store_;
  std::unique_ptr<hypervisor> machines_;
  asio::posix::stream_descriptor in_;
  asio::posix::stream_descriptor out_;
  asio::signal_set signals_;
  wire::line_framer framer_{line_bytes_max};
  std::array<char, 65536> bytes_{};
  std::deque<std::string> unsent_;
  std::size_t unsent_bytes_ = 0;
  bool output_broken_ = false;
  bool leaving_ = false;
  /// Destroyed first: its agent uses the ports.
  agent_desk desk_;
};

} // namespace

result<done> run_agent_loop(const agent_loop_settings& settings) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);
  agent_process process{settings};
  return process.run();
}

} // namespace drover
