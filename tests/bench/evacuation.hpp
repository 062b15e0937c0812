// One `drover evacuate n1` on a bench's cluster, and what it used meanwhile. Rule: a VM that did
// not move is an error, since a failure must not be the faster round.
#pragma once

#include "tests/bench/bench_cluster.hpp"
#include "tests/bench/figures.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace drover::bench {

/// What a program printed; throws when it failed.
nlohmann::json parsed(const testing::finished_program& ended, const std::string& who);

/// `words` follow `evacuate n1`.
round_figures evacuate(const bench_cluster& cluster, const std::vector<std::string>& words);

} // namespace drover::bench
