// What an interrupted handover has left behind, read from what the nodes list. Rule: pure; it names
// what is seen and never guesses what to do about it.
#pragma once

#include "runtime/wire/message.hpp"

#include <map>
#include <string>
#include <vector>

namespace drover {

struct unfinished_vm {
  vm_id vm;
  std::string what; ///< a sentence without its full stop

  bool operator==(const unfinished_vm&) const = default;
};

/// By VM id, several per VM where there is more than one thing to say. `lists` holds the nodes that
/// answered; what the others hold is not seen.
std::vector<unfinished_vm> unfinished_of(const std::map<node_id, wire::vm_list>& lists);

} // namespace drover
