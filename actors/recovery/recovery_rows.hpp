// The rows of the recovery table, in three parts. Rule: recovery_table.hpp is the only door to
// them; what several parts judge by is defined here once.
#pragma once

#include "actors/recovery/recovery_table.hpp"

namespace drover {

/// Nothing to do, somebody else's business, and copies beyond the two nodes.
std::vector<recovery_row> rows_of_quiet_vms();
/// No handover is under way any more, or none ever was.
std::vector<recovery_row> rows_of_settled_records();
/// A handover was begun and is not settled.
std::vector<recovery_row> rows_of_open_records();

inline bool is_open(const situation& s) { return s.record >= record_word::open; }
inline bool runs_at_other(const situation& s) {
  return s.other == other_copy::runs || s.other == other_copy::runs_astray;
}
/// A copy that runs, or that may run at any moment without being told to.
inline int runners(const situation& s) {
  const bool source = s.source == copy_state::runs || s.source == copy_state::streams;
  return int{source} + int{s.target == copy_state::runs} + int{runs_at_other(s)};
}
/// Incoming, with or without everything loaded.
inline bool target_waits(const situation& s) {
  return s.target == copy_state::waits || s.target == copy_state::loaded;
}
inline bool any_strange(const situation& s) {
  return s.source == copy_state::strange || s.target == copy_state::strange;
}
/// No QEMU of S is there, or ever will be without people.
inline bool source_gone(const situation& s) {
  return s.source == copy_state::absent || s.source_reach == node_reach::fenced;
}
inline bool target_gone(const situation& s) {
  return s.target == copy_state::absent || s.target_reach == node_reach::fenced;
}

} // namespace drover
