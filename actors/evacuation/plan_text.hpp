// A plan for people and for programs. Rule: both show the same; the JSON's names are part of
// drover's interface and only grow.
#pragma once

#include "actors/evacuation/plan.hpp"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace drover {

/// Several tables: what moves, what stays and why, memory of the nodes. Ends with a newline.
std::string plan_table(const plan& p);

/// {source, policy, feasible, exit_code, bytes, steps, stayed, excluded, nodes}
nlohmann::ordered_json plan_json(const plan& p);

} // namespace drover
