// Broken invariants stop the program, loudly, in every build. Rule: operating errors are values
// (base/error.hpp); this is for what cannot happen unless drover itself is wrong.
#pragma once

namespace drover {

[[noreturn]] void invariant_broken(const char* what, const char* file, int line);

} // namespace drover

#define DROVER_CHECK(condition, what)                                                              \
  ((condition) ? static_cast<void>(0) : ::drover::invariant_broken(what, __FILE__, __LINE__))
