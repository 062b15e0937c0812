#include "runtime/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace drover {

void invariant_broken(const char* what, const char* file, int line) {
  std::fprintf(stderr, "drover: invariant broken: %s (%s:%d)\n", what, file, line);
  std::abort();
}

} // namespace drover
