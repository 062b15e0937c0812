// A page that follows a run as a browser does, over /events. Rule: it counts what it is sent,
// second by second, and which VMs it has seen arrive.
#pragma once

#include "runtime/base/time.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace drover::testing {

struct page_follower {
  std::size_t updates = 0;
  std::size_t bytes = 0;
  std::size_t most_in_a_second = 0;
  double followed_s = 0;
  std::set<std::uint32_t> moved;

  /// Until `until`, or until `enough` VMs have moved, or the server ends it.
  void follow(std::uint16_t port, mono_time until, std::size_t enough = SIZE_MAX);

private:
  void take(const std::string& data);
};

} // namespace drover::testing
