#include "runtime/store/pmxcfs_errors.hpp"

#include <catch2/catch.hpp>
#include <cerrno>

namespace drover {
namespace {

constexpr auto plain = directory_kind::plain;
constexpr auto replicated = directory_kind::replicated;
constexpr nanoseconds at_once = milliseconds(5);
constexpr nanoseconds after_a_hang = std::chrono::seconds(8);

struct row {
  int number;
  directory_kind kind;
  nanoseconds took;
  errc write;
  errc read;
};

constexpr row table[] = {
  // No quorum: refused at once, unless the call was in flight when it was lost.
  {EACCES, replicated, at_once, errc::refused, errc::refused},
  {EACCES, replicated, after_a_hang, errc::lost, errc::refused},
  {EROFS, replicated, after_a_hang, errc::lost, errc::refused},
  {EACCES, plain, after_a_hang, errc::refused, errc::refused},
  {EROFS, plain, at_once, errc::refused, errc::refused},
  // Delivered without quorum, aborted, or the daemon died: 3 of 30 and 25 of 32 were applied.
  {EPERM, replicated, after_a_hang, errc::lost, errc::retry},
  {EBUSY, replicated, at_once, errc::lost, errc::retry},
  {ECONNABORTED, replicated, at_once, errc::lost, errc::retry},
  {ENOTCONN, replicated, at_once, errc::lost, errc::retry},
  {EIO, plain, at_once, errc::lost, errc::retry},
  {EPERM, plain, at_once, errc::refused, errc::refused},
  {EBUSY, plain, at_once, errc::retry, errc::retry},
  {ETIMEDOUT, replicated, after_a_hang, errc::timeout, errc::timeout},
  {EEXIST, replicated, at_once, errc::conflict, errc::conflict},
  {ENOENT, plain, at_once, errc::conflict, errc::conflict},
  {ENOSPC, plain, at_once, errc::retry, errc::retry},
  {EINTR, replicated, at_once, errc::retry, errc::retry},
  {EMFILE, plain, at_once, errc::retry, errc::retry},
  {ENOTDIR, plain, at_once, errc::invalid, errc::invalid},
  {ENAMETOOLONG, plain, at_once, errc::invalid, errc::invalid},
  {EFBIG, replicated, at_once, errc::invalid, errc::invalid},
  {EDOM, replicated, at_once, errc::lost, errc::retry},
};

} // namespace

TEST_CASE("each errno means what a caller can do about it") {
  for (const auto& r : table) {
    INFO(r.number << (r.kind == plain ? " plain" : " replicated"));
    CHECK(errc_of(r.number, file_access::write, r.kind, r.took) == r.write);
    CHECK(errc_of(r.number, file_access::read, r.kind, r.took) == r.read);
  }
}

TEST_CASE("no errno of a write that hung is called refused on a replicated directory") {
  for (int number = 1; number < 134; ++number) {
    INFO(number);
    CHECK(errc_of(number, file_access::write, replicated, after_a_hang) != errc::refused);
  }
}

TEST_CASE("an error says what was tried, what happened and with which file") {
  const file_call call(plain, file_access::write, "move VM 100");
  const auto failed = call.failure(ENOTDIR, "/c/nodes");
  CHECK(to_string(failed.value()) == "move VM 100: Not a directory (/c/nodes)");
}

} // namespace drover
