// The name of a run: when it began (UTC) and what it is. Rule: pure; it is a file's name, too, and
// runs in the order of their names are runs in the order of their age.
#pragma once

#include "runtime/base/time.hpp"

#include <string>

namespace drover {

/// "20261123-083646-evacuate-n1"; the `copy`-th of the same second, from 2 on, ends in "-2".
std::string run_id(const std::string& what, wall_time begun, unsigned copy = 1);

/// Holds nothing that leads to another folder.
bool is_run_id(const std::string& text);

/// "2026-11-23 08:36:46 UTC", for people.
std::string moment_text(wall_time at);

} // namespace drover
