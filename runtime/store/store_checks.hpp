// What every driver of the store refuses or accepts in the same way, whatever it stands on. Rule:
// pure; an objection is a phrase for people, empty where there is none.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/ticket.hpp"

#include <string>
#include <string_view>

namespace drover {

/// A node's name is a directory's name: no path can be made of it.
bool is_node_name(const node_id& node);

/// A lock's name is a file's name, and no path may be made of it.
bool is_lock_name(std::string_view name);

/// What would be wrong to write as the config of `vm` on `node`.
std::string config_objection(vm_id vm, const node_id& node, std::string_view text);

/// Why an edit is refused that was made from an older text.
inline constexpr std::string_view changed_meanwhile = "somebody has just changed it";

/// One epoch is one handover: the same number for another one means that two were begun at once.
bool may_follow(const handover_record& next, const handover_record& present);

/// "it is held by x": the holder's name is empty where nobody wrote it down.
std::string held_by(const std::string& holder);

} // namespace drover
