// The link port's contract as checks that every driver must pass. Rule: nothing here assumes more
// than runtime/link/link.hpp promises.
//
// A driver's test makes links whose other end is link_echo_agent and calls check_link_contract in a
// TEST_CASE; each SECTION gets a fresh link.
#pragma once

#include "runtime/link/link.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace drover::contracts {

/// Makes the links of one kind.
struct link_maker {
  /// A closed link of its own at each call.
  std::function<link_ptr()> make;
  /// Lets something happen in a world that has no threads of its own; false when nothing is left
  /// that could. Empty where things happen by themselves.
  std::function<bool()> step;

  link_ptr operator()() const { return make(); }
};

void check_link_contract(const link_maker& make);

/// Nothing of a healthy link takes longer; a check fails then, it does not hang.
inline constexpr std::chrono::seconds longest_link_wait{20};

/// What a link has told, collected from its thread.
class link_listener {
public:
  explicit link_listener(std::function<bool()> step)
    : step_(std::move(step)), seen_(std::make_shared<record>()) {}

  /// For `open`; the events stay valid when the listener is gone.
  link_events events() const;

  /// False when it does not happen within `longest_link_wait`.
  bool wait_opened(std::size_t times = 1) const;
  bool wait_lines(std::size_t count) const;
  bool wait_closed(std::size_t times = 1) const;

  std::vector<std::string> lines() const;
  std::size_t closed_count() const;
  error last_reason() const;
  /// True when a line or `opened` came while the link was closed.
  bool told_while_closed() const;

private:
  struct record {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t opened = 0;
    std::vector<std::string> lines;
    std::vector<error> closed;
    bool late = false;
  };
  bool wait(const std::function<bool(const record&)>& arrived) const;

  std::function<bool()> step_;
  std::shared_ptr<record> seen_;
};

} // namespace drover::contracts
