// What goes wrong in a mounted store, switched on and off by lines of text while it is in use.
// Rule: it knows nothing of files; every hang ends by itself, so that nobody is left waiting for a
// test that has died.
//
//   refuse ERRNO [NODE]   ordered writes fail at once and change nothing
//   hang writes|all [ERRNO]   calls wait for `clear`; then they are made, or fail with ERRNO
//   delay MS              every ordered write takes so long
//   lie ERRNO             ordered writes are made, and answered with ERRNO
//   stale MS              a stat of what was moved or removed stays true for so long
//   remember, rollback    take everything back to what was there when it was remembered
//   when move COMMAND     does it when the next config is about to move to another node
//   clear                 nothing is wrong any more
//   status                `writes N refused N hanging N moves N`
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace drover::testing {

/// One call that a mounted store is asked for.
struct shim_call {
  enum class access { read, write };
  access kind = access::read;
  std::string node;     ///< who asks, where that is known
  bool is_move = false; ///< of a config, to another node
};

class shim_faults {
public:
  std::function<void()> on_remember;
  std::function<void()> on_rollback;

  /// The answer to one line: "ok", the status, or what is wrong with it.
  std::string obey(const std::string& line);
  /// 0, or the errno with which the call fails unmade. May take long.
  int before(const shim_call& call);
  /// What is answered to a call that was made with this outcome: 0 or errno.
  int after(const shim_call& call, int outcome);
  std::chrono::milliseconds stale() const;

private:
  enum class hanging : std::uint8_t { nothing, writes, everything };

  std::string obey_locked(const std::string& line);
  std::string status() const;
  void clear();
  bool hangs(const shim_call& call) const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int refusal_ = 0;
  std::string refused_node_;
  hanging hanging_ = hanging::nothing;
  int hang_end_ = 0;
  std::chrono::milliseconds delay_{0};
  int lie_ = 0;
  std::chrono::milliseconds stale_{0};
  std::string on_move_;
  /// Changes with each `clear`, so that a call that waits for one sees it even if it hangs anew.
  std::uint64_t generation_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t waiting_ = 0;
  std::uint64_t moves_ = 0;
};

} // namespace drover::testing
