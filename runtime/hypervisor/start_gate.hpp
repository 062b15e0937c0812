// How many receiving QEMUs start at a time. Rule: no more than there are processors, since a start
// is all computing and more of them would only take each other's turns and caches; who waits is
// admitted in the order of asking. A permit ends with its owner, so none is lost.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace drover {

class start_gate {
  struct state;

public:
  class permit {
  public:
    permit() = default;
    permit(permit&&) noexcept = default;
    /// What it was before goes with the other one.
    permit& operator=(permit&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~permit() { give_back(); }

    void give_back();

  private:
    friend class start_gate;
    explicit permit(std::shared_ptr<state> gate) : gate_(std::move(gate)) {}
    std::shared_ptr<state> gate_;
  };

  explicit start_gate(std::size_t starts_most) : state_(std::make_shared<state>()) {
    state_->free = starts_most;
  }

  /// Calls `start` with a permit, now or when another one is given back.
  void enter(std::function<void(permit)> start) {
    state_->waiting.push_back(std::move(start));
    admit_next(state_);
  }

private:
  struct state {
    std::size_t free = 0;
    std::deque<std::function<void(permit)>> waiting;
    bool admits = false; ///< so that a permit that comes back at once makes the loop no deeper
  };

  static void admit_next(const std::shared_ptr<state>& gate) {
    if (std::exchange(gate->admits, true))
      return;
    while (gate->free > 0 && !gate->waiting.empty()) {
      --gate->free;
      const auto start = std::move(gate->waiting.front());
      gate->waiting.pop_front();
      start(permit{gate});
    }
    gate->admits = false;
  }

  std::shared_ptr<state> state_;
};

inline void start_gate::permit::give_back() {
  const auto gate = std::exchange(gate_, nullptr);
  if (!gate)
    return;
  ++gate->free;
  admit_next(gate);
}

} // namespace drover
