// Tickets for tests. Rule: they are made as in production, from a record that is `moving`.
#pragma once

#include "runtime/base/ticket.hpp"

namespace drover::testing {

inline ticket make_ticket(
  std::uint32_t vm, std::uint64_t number, const char* source, const char* target,
  policy how = policy::ticket) {
  return ticket_issuer::issue(handover_record{
    vm_id{vm}, epoch{number}, record_state::moving, node_id{source}, node_id{target}, how, "test",
    source_outcome::unpublished});
}

} // namespace drover::testing
