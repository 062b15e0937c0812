// What all machines of one driver share. Rule: lives as long as anybody may still be called; a
// machine asks `is_open` before it calls out.
#pragma once

#include "runtime/hypervisor/hypervisor.hpp"
#include "runtime/hypervisor/machine_process.hpp"
#include "runtime/hypervisor/qemu_settings.hpp"
#include "runtime/hypervisor/relay_process.hpp"
#include "runtime/hypervisor/start_gate.hpp"

#include <algorithm>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <unistd.h>
#include <utility>

namespace drover {

inline std::size_t processors() {
  return static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

struct machine_host : std::enable_shared_from_this<machine_host> {
  machine_host(asio::io_context& l, qemu_settings s) : loop(l), settings(std::move(s)) {}

  asio::io_context& loop;
  qemu_settings settings;
  hypervisor_events* events = nullptr;
  /// Takes a machine whose process is gone off the driver's list.
  std::function<void(vm_id)> remove;
  /// The last final state of each VM's stream; outlives the process.
  std::map<vm_id, std::pair<epoch, wire::outcome>> outcomes;
  bool is_open = true;
  start_gate starts{processors()};

  /// Starts a process on a thread that may wait, and answers on the loop.
  void spawn_aside(process_plan plan, callback<new_process> answer) {
    aside<new_process>([plan = std::move(plan)] { return start_process(plan); }, std::move(answer));
  }

  /// The same for a stream's relay, whose end is nobody's business but the kernel's.
  void start_relay_aside(std::filesystem::path about, callback<new_relay> answer) {
    aside<new_relay>(
      [program = settings.relay_program, about = std::move(about)] {
        return start_relay(program, about);
      },
      [this, answer = std::move(answer)](result<new_relay> made) {
        if (made)
          reap_later(std::move(made->process));
        answer(std::move(made));
      });
  }

  /// Nothing is started any more, and what is being started has its files. Whoever has the node's
  /// seat next finds it only by them.
  void end_starts() {
    spawner_.stop();
    spawner_.join();
  }

  /// Answers on the loop, after the call that asked is through.
  template <class T>
  void answer_later(callback<T> answer, result<T> value) {
    asio::post(
      loop,
      [weak = weak_from_this(), answer = std::move(answer), value = std::move(value)]() mutable {
        if (const auto self = weak.lock(); self && self->is_open)
          answer(std::move(value));
      });
  }

private:
  template <class T>
  void aside(std::function<result<T>()> work, callback<T> answer) {
    asio::post(
      spawner_, [weak = weak_from_this(), work = std::move(work), answer = std::move(answer),
                 guard = asio::make_work_guard(loop)]() mutable {
        auto made = work();
        asio::post(
          guard.get_executor(),
          [weak = std::move(weak), answer = std::move(answer), made = std::move(made)]() mutable {
            if (const auto self = weak.lock(); self && self->is_open)
              answer(std::move(made));
          });
      });
  }

  void reap_later(new_process child) {
    const auto pid = child.pid;
    relays_[pid] = machine_process::watch(
      loop, std::move(child), [this, pid](const std::string&) { relays_.erase(pid); });
  }

  std::map<pid_t, std::shared_ptr<machine_process>> relays_;
  static constexpr std::size_t spawner_threads = 2;
  asio::thread_pool spawner_{spawner_threads};
};

} // namespace drover
