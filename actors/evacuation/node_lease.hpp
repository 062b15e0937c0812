// Whether the lock of the evacuated node in the cluster's store is still held: a pure rule over
// when it was asked for and what was answered. Rule: only what is proven counts; a lock that is in
// doubt lets nothing new enter, a lock that is lost ends the evacuation before its next pause.
//
//          renewed                    silent for 45 s
//   +---> held <------+  held -----------------------------> doubtful
//   |                 +------------------ renewed --------------+ |
//   +--- (granted)                                                | silent for 110 s
//                          somebody else has it                   v
//          held, doubtful -------------------------------------> lost
#pragma once

#include "runtime/base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace drover {

enum class lease_state : std::uint8_t { held, doubtful, lost };

class node_lease {
public:
  /// The store forgets a lock that was not renewed for 120 s; what is left is for clocks and for
  /// the way of the answer.
  static constexpr milliseconds proven_for{110'000};
  static constexpr milliseconds doubt_after{45'000};
  /// While held, and while in doubt.
  static constexpr milliseconds renew_every{30'000};
  static constexpr milliseconds ask_again_after{5'000};

  /// Granted to a request that was sent at `asked`: the lease may have begun then.
  explicit node_lease(mono_time asked) : proven_(asked) {}

  void renewed(mono_time asked) { proven_ = std::max(proven_, asked); }
  /// The store says that somebody else has it, and who; there is no way back.
  void taken_by(std::string told) { thief_ = std::move(told); }

  lease_state at(mono_time now) const {
    if (thief_ || now - proven_ >= proven_for)
      return lease_state::lost;
    return now - proven_ >= doubt_after ? lease_state::doubtful : lease_state::held;
  }

  /// How long until it has to be asked for, or looked at, again.
  milliseconds next_look(mono_time now) const {
    return now - proven_ >= renew_every ? ask_again_after : renew_every;
  }

  /// For people: why it is lost.
  std::string reason() const {
    return thief_ ? "somebody else has it: " + *thief_
                  : "the store has not confirmed it for too long";
  }

private:
  mono_time proven_;
  std::optional<std::string> thief_;
};

} // namespace drover
