// The owner of one node's link: the thin shell of the node_session and the only one who speaks to
// that node. Rule: it carries out the session's commands and hands notices on; it decides nothing.
#pragma once

#include "actors/nodes/node_session.hpp"
#include "actors/protocol.hpp"
#include "runtime/link/link.hpp"

namespace drover {

/// Calls that come before the node answers wait for it.
node_owner_handle spawn_node_owner(
  caf::actor_system& system, session::settings settings, link_ptr way, surroundings around,
  link_opening opening = link_opening::at_once);

} // namespace drover
