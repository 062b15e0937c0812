// Hands the changes of one run to the journal, on a thread of its own. Rule: whoever reports an
// event pays for putting it into a queue and nothing else; only who asks for the write-ahead point
// waits, and does so by a call back, not by a thread. A journal that fails is told of once, and the
// run goes on without it.
#pragma once

#include "runtime/base/trace.hpp"
#include "runtime/journal/journal_book.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace drover {

class journal_writer final : public trace_sink {
public:
  /// What follows the write-ahead point is written at most this much later.
  static constexpr milliseconds delay_max{50};

  /// `complain` is called at most once, from any thread.
  journal_writer(std::shared_ptr<journal> into, std::function<void(const error&)> complain);
  journal_writer(const journal_writer&) = delete;
  journal_writer& operator=(const journal_writer&) = delete;
  ~journal_writer() override;

  /// From now on events are kept, for the run `id`, whose plan the journal has already.
  void follow(std::string id, const std::vector<journal_vm>& vms);

  void take(const trace_event& event) override;
  /// `written` is called, from the writer's thread or at once where nothing is followed, when the
  /// disk has it that this VM's migration begins, or when the journal has failed.
  void write_ahead(vm_id vm, wall_time now, std::function<void()> written);
  /// Waits until the disk has it; not for threads that serve VMs.
  result<done> write(journal_change change);
  /// When it returns, everything taken before was handed to the journal.
  void close();

private:
  /// A migration is about to begin.
  struct ahead {
    vm_id vm;
    wall_time now;
  };
  struct item {
    std::variant<trace_event, ahead, journal_change> what;
    std::function<void(const result<done>&)> written{};
  };

  /// False where nothing is followed.
  bool put_urgently(item one);
  void write_until_closed();
  void write_all(const std::vector<item>& items);
  std::vector<journal_change> changes_of(const item& one);

  std::shared_ptr<journal> into_;
  std::function<void(const error&)> complain_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string id_;    ///< empty = nothing is followed yet; does not change after that
  journal_book book_; ///< of the writer's thread, once something is followed
  std::vector<item> queue_;
  bool hurry_ = false; ///< somebody waits
  bool closing_ = false;
  bool complained_ = false; ///< of the writer's thread
  std::thread worker_;
};

} // namespace drover
