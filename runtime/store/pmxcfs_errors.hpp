// What errno of a cluster directory means to a caller. Rule: a write that may have been carried out
// is never called refused; the figures behind the table were measured on a real pmxcfs.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"

#include <filesystem>
#include <string>

namespace drover {

enum class directory_kind {
  /// An ordinary directory of one machine: the kernel orders all writes.
  plain,
  /// A mounted pmxcfs: writes are ordered by corosync, and any call can hang.
  replicated,
};

enum class file_access { read, write };

/// The table. `took` is how long the failed call lasted.
errc errc_of(int number, file_access access, directory_kind kind, nanoseconds took);

/// One call of the driver: knows what was tried and since when, and makes its errors.
class file_call {
public:
  file_call(directory_kind kind, file_access access, std::string what);

  /// From errno.
  tl::unexpected<error> failure(int number, const std::filesystem::path& file) const;
  /// From what was found.
  tl::unexpected<error> failure(
    errc code, const std::string& why, const std::filesystem::path& file) const;

private:
  directory_kind kind_;
  file_access access_;
  std::string what_;
  mono_time begun_;
};

} // namespace drover
