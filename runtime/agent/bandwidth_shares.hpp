// How a node's bandwidth is divided among the streams that leave it. Rule: pure; nobody gets more
// than it may use, what one leaves over is the others', and the sum never exceeds the whole.
#pragma once

#include "runtime/base/ids.hpp"

#include <cstdint>
#include <map>

namespace drover {

/// What each stream may use at most by its own VM's word, and what it gets: bytes per second, 0 =
/// unlimited.
using bandwidth_by_vm = std::map<vm_id, std::uint64_t>;

/// `whole` 0 = no limit but each stream's own.
bandwidth_by_vm bandwidth_shares(std::uint64_t whole, const bandwidth_by_vm& at_most);

} // namespace drover
