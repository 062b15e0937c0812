// A VM between two nodes as it really is: what is seen of it, what a step of the recovery does to
// it, and what the nodes and late commands may do meanwhile. Rule: steps are refused on what the
// agents' ownership guard refuses them on.
#pragma once

#include "actors/recovery/recovery_table.hpp"

#include <functional>
#include <optional>
#include <vector>

namespace drover::testing {

/// The copies and marks of a truth are the real ones, also where the node is silent; a fenced node
/// has none. `ended_target_copy`: the recovery has
/// ended the copy that waited there, so that it never runs.
struct truth {
  situation real;
  bool ended_target_copy = false;

  auto operator<=>(const truth&) const = default;
};

/// What the nodes that answer say.
situation seen_of(const truth& of);

int running_copies(const truth& of);

/// Could the protocol have come here? Guards against judging the table by what cannot be.
bool is_possible(const truth& of);

/// Everything that can come of the step; empty = refused.
std::vector<truth> after_step(const truth& of, recovery_step step);

/// What may happen at any moment without the recovery: agents by themselves, streams that end, late
/// commands of a controller that is gone.
std::vector<truth> what_may_happen(const truth& of);

/// Every truth with every word; possible or not.
void for_every_truth(const std::function<void(const truth&)>& each);

} // namespace drover::testing
