// Strong, ordered identifiers. Rule: two ids of different kinds never convert into each other,
// and nothing in drover passes a bare integer or string where an id is meant.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace drover {

/// A value of its own type: `Tag` only tells the kinds apart.
template <class Tag, class Value>
struct strong_id {
  Value value{};

  strong_id() = default;
  explicit strong_id(Value v) : value(std::move(v)) {}

  auto operator<=>(const strong_id&) const = default;
};

/// A VM's number, 100 to 999999999 as in Proxmox VE; unique in the cluster.
using vm_id = strong_id<struct vm_id_tag, std::uint32_t>;
/// A node's name: a host that runs VMs.
using node_id = strong_id<struct node_id_tag, std::string>;
/// Fencing number of a VM: strictly increasing, one per handover attempt. 0 = never handed over.
using epoch = strong_id<struct epoch_tag, std::uint64_t>;
/// Identifies one request on a link; repeated with the same id when an answer is outstanding.
using request_id = strong_id<struct request_id_tag, std::string>;

inline std::string to_string(vm_id id) { return std::to_string(id.value); }
inline std::string to_string(epoch e) { return std::to_string(e.value); }
inline const std::string& to_string(const node_id& id) { return id.value; }
inline const std::string& to_string(const request_id& id) { return id.value; }

} // namespace drover
