// The sides of a comparison: each moves the same guests in its own way. Rule: a side that cannot
// play here says why in one line, and the others play on.
//
//   bare        a driver that does QMP and nothing else (bare_driver.cpp)
//   drover      with process links
//   drover-ssh  with SSH links, through an sshd of its own on loopback
//   libvirt     two daemons on this machine (libvirt_side.hpp)
#pragma once

#include "tests/bench/figures.hpp"

#include <optional>
#include <string>
#include <vector>

namespace drover::bench {

/// In the order in which they are told.
std::vector<std::string> side_names();

/// Why this side cannot play on this machine; nullopt when it can.
std::optional<std::string> absence_of(const std::string& side);

/// One round on a cluster of its own; throws when it goes wrong.
round_figures play(const std::string& side, const bench_point& at);

} // namespace drover::bench
