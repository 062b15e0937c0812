#include "runtime/store/pmxcfs_store.hpp"

#include <exception>
#include <utility>

namespace drover {

result<pmxcfs_files*> pmxcfs_store::worker_state::open() {
  if (!files) {
    auto opened = pmxcfs_files::open(options);
    if (!opened)
      return tl::unexpected(opened.error());
    files.emplace(std::move(*opened));
  }
  return &*files;
}

pmxcfs_store::pmxcfs_store(
  pmxcfs_options options, milliseconds call_deadline, post_function post, store_observer observe)
  : node_(options.node), call_deadline_(call_deadline), observe_(std::move(observe)),
    state_(std::make_shared<worker_state>(worker_state{std::move(options), std::nullopt})),
    queue_(std::move(post)) {}

template <class T>
void pmxcfs_store::submit(
  std::string operation, vm_id vm, std::function<result<T>(pmxcfs_files&)> job,
  callback<T> answer) {
  const store_operation begun{node_, std::move(operation), vm, wall_now(), {}, false};
  // The callback is called and destroyed on the loop's thread, as what it captured may need.
  const auto kept = std::make_shared<callback<T>>(std::move(answer));
  const auto answering = [begun, observe = observe_, kept](result<T> outcome) -> call_queue::task {
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
  queue_.add({run, time_out}, call_deadline_);
}

void pmxcfs_store::read_places(callback<std::map<vm_id, node_id>> answer) {
  submit<std::map<vm_id, node_id>>(
    "read_places", {}, [](pmxcfs_files& files) { return files.read_places(); }, std::move(answer));
}

void pmxcfs_store::read_owner(vm_id vm, callback<std::optional<node_id>> answer) {
  submit<std::optional<node_id>>(
    "read_owner", vm, [=](pmxcfs_files& files) { return files.read_owner(vm); }, std::move(answer));
}

void pmxcfs_store::read_config(vm_id vm, const node_id& node, callback<std::string> answer) {
  submit<std::string>(
    "read_config", vm, [=](pmxcfs_files& files) { return files.read_config(vm, node); },
    std::move(answer));
}

void pmxcfs_store::create_config(
  vm_id vm, const node_id& node, std::string text, callback<done> answer) {
  submit<done>(
    "create_config", vm,
    [vm, node, text = std::move(text)](pmxcfs_files& files) {
      return files.create_config(vm, node, text);
    },
    std::move(answer));
}

void pmxcfs_store::write_config(
  vm_id vm, const node_id& node, std::string text, callback<done> answer) {
  submit<done>(
    "write_config", vm,
    [vm, node, text = std::move(text)](pmxcfs_files& files) {
      return files.write_config(vm, node, text);
    },
    std::move(answer));
}

void pmxcfs_store::remove_config(vm_id vm, const node_id& node, callback<done> answer) {
  submit<done>(
    "remove_config", vm, [=](pmxcfs_files& files) { return files.remove_config(vm, node); },
    std::move(answer));
}

void pmxcfs_store::move_config(
  vm_id vm, const node_id& from, const node_id& to, callback<done> answer) {
  submit<done>(
    "move_config", vm, [=](pmxcfs_files& files) { return files.move_config(vm, from, to); },
    std::move(answer));
}

void pmxcfs_store::read_record(vm_id vm, callback<std::optional<handover_record>> answer) {
  submit<std::optional<handover_record>>(
    "read_record", vm, [=](pmxcfs_files& files) { return files.read_record(vm); },
    std::move(answer));
}

void pmxcfs_store::read_records(callback<std::map<vm_id, handover_record>> answer) {
  submit<std::map<vm_id, handover_record>>(
    "read_records", {}, [](pmxcfs_files& files) { return files.read_records(); },
    std::move(answer));
}

void pmxcfs_store::write_record(handover_record record, callback<done> answer) {
  const auto vm = record.vm;
  submit<done>(
    "write_record", vm,
    [record = std::move(record)](pmxcfs_files& files) { return files.write_record(record); },
    std::move(answer));
}

void pmxcfs_store::barrier(callback<done> answer) {
  submit<done>(
    "barrier", {}, [](pmxcfs_files& files) { return files.barrier(); }, std::move(answer));
}

void pmxcfs_store::take_lock(
  const std::string& name, const std::string& holder, callback<done> answer) {
  submit<done>(
    "take_lock", {}, [=](pmxcfs_files& files) { return files.take_lock(name, holder); },
    std::move(answer));
}

void pmxcfs_store::drop_lock(
  const std::string& name, const std::string& holder, callback<done> answer) {
  submit<done>(
    "drop_lock", {}, [=](pmxcfs_files& files) { return files.drop_lock(name, holder); },
    std::move(answer));
}

void pmxcfs_store::read_locks(const std::string& prefix, callback<std::vector<store_lock>> answer) {
  submit<std::vector<store_lock>>(
    "read_locks", {}, [=](pmxcfs_files& files) { return files.read_locks(prefix); },
    std::move(answer));
}

} // namespace drover
