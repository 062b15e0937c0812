// From what was heard of a node to what it has and lacks, and how that is shown. Rule: pure.
#pragma once

#include "runtime/program/clock_samples.hpp"
#include "runtime/program/node_check.hpp"
#include "runtime/wire/message.hpp"

#include <optional>
#include <vector>

namespace drover {

/// What one visit to a node has brought.
struct visit_facts {
  bool is_open = false; ///< logged in, or the process was started
  std::optional<readiness_report> report;
  std::optional<wire::hello_reply> hello;
  std::optional<error> refusal; ///< of the hello, by the agent
  std::optional<clock_offset> clock;
  std::optional<error> end; ///< why the link ended, if it has
};

std::vector<readiness_item> items_of(const cluster_node& node, const visit_facts& facts);

} // namespace drover
