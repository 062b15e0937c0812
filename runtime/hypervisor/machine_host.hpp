// What all machines of one driver share. Rule: lives as long as anybody may still be called; a
// machine asks `is_open` before it calls out.
#pragma once

#include "runtime/hypervisor/hypervisor.hpp"
#include "runtime/hypervisor/machine_process.hpp"
#include "runtime/hypervisor/qemu_settings.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace drover {

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

  /// Starts a process on a thread that may wait, and answers on the loop.
  void spawn_aside(process_plan plan, callback<new_process> answer) {
    asio::post(
      spawner_, [weak = weak_from_this(), plan = std::move(plan), answer = std::move(answer),
                 guard = asio::make_work_guard(loop)]() mutable {
        auto started = start_process(plan);
        asio::post(
          guard.get_executor(), [weak = std::move(weak), answer = std::move(answer),
                                 started = std::move(started)]() mutable {
            if (const auto self = weak.lock(); self && self->is_open)
              answer(std::move(started));
          });
      });
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
  static constexpr std::size_t spawner_threads = 2;
  asio::thread_pool spawner_{spawner_threads};
};

} // namespace drover
