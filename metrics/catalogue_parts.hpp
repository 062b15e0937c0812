// The halves of the catalogue and the buckets that they share. Rule: only catalogue.cpp, which puts
// them together, and the two files that define them include this.
#pragma once

#include "metrics/catalogue.hpp"

namespace drover {

/// Dense between 1 and 100 ms, where a pause is meant to be, and up to the seconds that an operator
/// wants to see when it is not.
inline const std::vector<double> pause_buckets{0.001, 0.002, 0.005, 0.010, 0.020, 0.030, 0.040,
                                               0.050, 0.075, 0.100, 0.150, 0.200, 0.300, 0.500,
                                               0.750, 0.900, 2,     5,     10,    30};

/// Waits for others' migrations, and phases: up to the length of a whole evacuation.
inline const std::vector<double> wait_buckets{0.001, 0.01, 0.1, 0.5, 1,   2,    5,   10,
                                              30,    60,   120, 300, 600, 1800, 3600};

/// One store call: a plain directory answers in microseconds, a pmxcfs that lost a node in 8 s.
inline const std::vector<double> store_buckets{
  0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30};

/// One request to an agent: a look takes a millisecond, a stream's end as long as the stream.
inline const std::vector<double> command_buckets{0.001, 0.005, 0.01, 0.05, 0.1, 0.5,
                                                 1,     5,     10,   30,   60,  300};

std::vector<series> migration_series();
std::vector<series> node_series();

} // namespace drover
