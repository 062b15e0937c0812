// The store port on calls that block: `Files` makes them one after the other, behind a queue,
// because any of them can hang for seconds. Rule: nothing here runs on the caller's thread but the
// answers.
//
// `Files` has the port's calls as functions that return results, `options_type`, and
// `static result<Files> open(const options_type&)`; it may have `mono_time answer_at()`, before
// which the call that was made last is not answered.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/store/call_queue.hpp"
#include "runtime/store/store.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace drover {

/// Learns of every call when it is answered, on the loop's thread, before its callback.
using store_observer = std::function<void(const store_operation&)>;

template <class Files>
class queued_store : public store {
public:
  using options_type = typename Files::options_type;

  /// Makes no file call: a directory that cannot be used is the answer to each call until it can.
  /// A call that is not answered within `call_deadline` is answered `timeout`.
  queued_store(
    options_type options, milliseconds call_deadline, post_function post,
    store_observer observe = {})
    : node_(options.node), call_deadline_(call_deadline), observe_(std::move(observe)),
      state_(std::make_shared<worker_state>(worker_state{std::move(options), std::nullopt})),
      queue_(std::move(post)) {}

  void read_places(callback<std::map<vm_id, node_id>> answer) override {
    submit<std::map<vm_id, node_id>>(
      "read_places", {}, [](Files& files) { return files.read_places(); }, std::move(answer));
  }
  void read_owner(vm_id vm, callback<std::optional<node_id>> answer) override {
    submit<std::optional<node_id>>(
      "read_owner", vm, [=](Files& files) { return files.read_owner(vm); }, std::move(answer));
  }
  void read_config(vm_id vm, const node_id& node, callback<std::string> answer) override {
    submit<std::string>(
      "read_config", vm, [=](Files& files) { return files.read_config(vm, node); },
      std::move(answer));
  }
  void create_config(
    vm_id vm, const node_id& node, std::string text, callback<done> answer) override {
    submit<done>(
      "create_config", vm,
      [vm, node, text = std::move(text)](Files& files) {
        return files.create_config(vm, node, text);
      },
      std::move(answer));
  }
  void write_config(
    vm_id vm, const node_id& node, config_edit edit, callback<done> answer) override {
    submit<done>(
      "write_config", vm,
      [vm, node, edit = std::move(edit)](Files& files) {
        return files.write_config(vm, node, edit);
      },
      std::move(answer));
  }
  void remove_config(vm_id vm, const node_id& node, callback<done> answer) override {
    submit<done>(
      "remove_config", vm, [=](Files& files) { return files.remove_config(vm, node); },
      std::move(answer));
  }
  void move_config(
    vm_id vm, const node_id& from, const node_id& to, callback<done> answer) override {
    submit<done>(
      "move_config", vm, [=](Files& files) { return files.move_config(vm, from, to); },
      std::move(answer));
  }
  void read_record(vm_id vm, callback<std::optional<handover_record>> answer) override {
    submit<std::optional<handover_record>>(
      "read_record", vm, [=](Files& files) { return files.read_record(vm); }, std::move(answer));
  }
  void read_records(callback<std::map<vm_id, handover_record>> answer) override {
    submit<std::map<vm_id, handover_record>>(
      "read_records", {}, [](Files& files) { return files.read_records(); }, std::move(answer));
  }
  void write_record(handover_record record, callback<done> answer) override {
    const auto vm = record.vm;
    submit<done>(
      "write_record", vm,
      [record = std::move(record)](Files& files) { return files.write_record(record); },
      std::move(answer));
  }
  void barrier(callback<done> answer) override {
    submit<done>(
      "barrier", {}, [](Files& files) { return files.barrier(); }, std::move(answer));
  }
  void read_view(vm_id vm, callback<vm_view> answer) override {
    if constexpr (answers_late)
      return store::read_view(vm, std::move(answer));
    submit<vm_view>(
      "read_view", vm, [=](Files& files) { return view_of(files, vm); }, std::move(answer));
  }
  void read_view_behind_barrier(vm_id vm, callback<vm_view> answer) override {
    if constexpr (answers_late)
      return store::read_view_behind_barrier(vm, std::move(answer));
    submit<vm_view>(
      "read_view_behind_barrier", vm,
      [=](Files& files) -> result<vm_view> {
        if (const auto passed = files.barrier(); !passed)
          return tl::unexpected(passed.error());
        return view_of(files, vm);
      },
      std::move(answer));
  }
  void take_lock(
    const std::string& name, const std::string& holder, callback<done> answer) override {
    submit<done>(
      "take_lock", {}, [=](Files& files) { return files.take_lock(name, holder); },
      std::move(answer));
  }
  void drop_lock(
    const std::string& name, const std::string& holder, callback<done> answer) override {
    submit<done>(
      "drop_lock", {}, [=](Files& files) { return files.drop_lock(name, holder); },
      std::move(answer));
  }
  void read_locks(const std::string& prefix, callback<std::vector<store_lock>> answer) override {
    submit<std::vector<store_lock>>(
      "read_locks", {}, [=](Files& files) { return files.read_locks(prefix); }, std::move(answer));
  }
  void read_membership(callback<std::string> answer) override {
    submit<std::string>(
      "read_membership", {}, [](Files& files) { return files.read_membership(); },
      std::move(answer));
  }

private:
  /// What such a driver shows depends on the moment of the answer, so two calls are never one.
  static constexpr bool answers_late = requires(Files & files) { files.answer_at(); };

  static result<vm_view> view_of(Files& files, vm_id vm) {
    auto owner = files.read_owner(vm);
    if (!owner)
      return tl::unexpected(owner.error());
    return joined(std::move(owner), files.read_record(vm));
  }

  /// Belongs to the worker's thread; lives on when that thread hangs.
  struct worker_state {
    options_type options;
    std::optional<Files> files;

    result<Files*> open() {
      if (!files) {
        auto opened = Files::open(options);
        if (!opened)
          return tl::unexpected(opened.error());
        files.emplace(std::move(*opened));
      }
      return &*files;
    }
  };

  template <class T>
  void submit(
    std::string operation, vm_id vm, std::function<result<T>(Files&)> job, callback<T> answer) {
    const store_operation begun{node_, std::move(operation), vm, wall_now(), {}, false};
    // The callback is called and destroyed on the loop's thread, as what it captured may need.
    const auto kept = std::make_shared<callback<T>>(std::move(answer));
    const auto answering = [begun, observe = observe_,
                            kept](result<T> outcome) -> call_queue::task {
      auto event = begun;
      event.end = wall_now();
      event.ok = outcome.has_value();
      return [event = std::move(event), observe, kept, outcome = std::move(outcome)]() mutable {
        if (observe)
          observe(event);
        const auto take_answer = std::exchange(*kept, {});
        take_answer(std::move(outcome));
      };
    };
    const auto run = [state = state_, job = std::move(job), answering]() -> call_queue::task {
      try {
        const auto files = state->open();
        return answering(files ? job(**files) : tl::unexpected(files.error()));
      } catch (const std::exception& e) {
        return answering(fail(errc::bug, "the store driver threw", e.what()));
      }
    };
    const auto time_out = [answering, what = begun.operation, node = node_]() -> call_queue::task {
      return answering(fail(errc::timeout, what + ": the cluster directory hangs", node.value));
    };
    const auto not_before = [state = state_] {
      if constexpr (answers_late)
        return state->files ? state->files->answer_at() : mono_time{};
      else
        return mono_time{};
    };
    queue_.add({run, time_out, not_before}, call_deadline_);
  }

  node_id node_;
  milliseconds call_deadline_;
  store_observer observe_;
  std::shared_ptr<worker_state> state_;
  call_queue queue_;
};

} // namespace drover
