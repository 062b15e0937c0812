// What tests of store drivers need: a directory that goes with the test, a loop of the smallest
// kind, and a cluster of stores on one directory.
#pragma once

#include "runtime/store/lagging_store.hpp"
#include "runtime/store/pmxcfs_store.hpp"
#include "tests/contracts/store_contract.hpp"

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace drover::contracts {

class temporary_directory {
public:
  temporary_directory() {
    auto pattern = (std::filesystem::temp_directory_path() / "drover-store-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

/// Runs posted tasks on the thread that calls `step`. Its queue outlives it in the posts.
class task_loop {
public:
  post_function post() {
    return [queue = queue_](std::function<void()> task) {
      const std::lock_guard lock(queue->mutex);
      queue->tasks.push_back(std::move(task));
      queue->changed.notify_one();
    };
  }

  /// One round of what is there; waits a little when there is nothing.
  void step() {
    std::unique_lock lock(queue_->mutex);
    queue_->changed.wait_for(lock, milliseconds{10}, [&] { return !queue_->tasks.empty(); });
    auto tasks = std::exchange(queue_->tasks, {});
    lock.unlock();
    for (const auto& task : tasks)
      task();
  }

private:
  struct shared_queue {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;
  };
  std::shared_ptr<shared_queue> queue_ = std::make_shared<shared_queue>();
};

/// Nodes n1, n2, ... on one directory, each with its own store and all with one loop.
template <class Store>
class directory_cluster final : public store_cluster {
public:
  directory_cluster(
    std::size_t nodes, typename Store::options_type options,
    milliseconds call_deadline = milliseconds{20'000}, store_observer observe = {}) {
    if (options.directory.empty())
      options.directory = directory_.path();
    for (std::size_t node = 0; node < nodes; ++node) {
      options.node = name(node);
      stores_.push_back(std::make_unique<Store>(options, call_deadline, loop_.post(), observe));
    }
  }

  store& at(std::size_t node) override { return *stores_.at(node); }
  node_id name(std::size_t node) const override { return node_id{"n" + std::to_string(node + 1)}; }
  void step() override { loop_.step(); }
  mono_time now() const override { return monotonic_now(); }

  const std::filesystem::path& directory() const { return directory_.path(); }
  /// The node is gone; so is every answer that it owed.
  void remove(std::size_t node) { stores_.at(node).reset(); }

private:
  temporary_directory directory_;
  task_loop loop_;
  std::vector<std::unique_ptr<Store>> stores_;
};

using pmxcfs_cluster = directory_cluster<pmxcfs_store>;
using lagging_cluster = directory_cluster<lagging_store>;

} // namespace drover::contracts
