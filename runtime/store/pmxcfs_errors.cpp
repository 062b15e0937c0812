#include "runtime/store/pmxcfs_errors.hpp"

#include <cerrno>
#include <system_error>

namespace drover {
namespace {

/// A pmxcfs without quorum refuses within milliseconds. A refusal that took longer than this was
/// in flight when the membership changed, and its message may have been delivered.
constexpr nanoseconds prompt = std::chrono::seconds(1);

/// Calls that met a dying or changing file system; nobody knows what became of a write.
bool is_interrupted(int number, directory_kind kind) {
  switch (number) {
  case EIO:
  case ENOTCONN:
  case ECONNABORTED:
  case ECONNREFUSED:
  case ECONNRESET:
  case ESHUTDOWN:
  case ENODEV:
  case ENXIO:
  case ESTALE:
  case EPIPE:
    return true;
  case EPERM: // delivered while the node had no quorum
  case EBUSY: // aborted by a change of the membership
    return kind == directory_kind::replicated;
  default:
    return false;
  }
}

} // namespace

errc errc_of(int number, file_access access, directory_kind kind, nanoseconds took) {
  const bool writes = access == file_access::write;
  if (is_interrupted(number, kind))
    return writes ? errc::lost : errc::retry;
  switch (number) {
  case EACCES:
  case EROFS:
    return writes && kind == directory_kind::replicated && took >= prompt ? errc::lost
                                                                          : errc::refused;
  case EPERM:
    return errc::refused;
  case ETIMEDOUT:
    return errc::timeout;
  case EEXIST:
  case ENOENT:
  case ENOTEMPTY:
    return errc::conflict;
  case EAGAIN:
  case EBUSY:
  case EINTR:
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case ENOSPC:
  case EDQUOT:
    return errc::retry;
  case EFBIG:
  case EINVAL:
  case EISDIR:
  case ELOOP:
  case ENAMETOOLONG:
  case ENOTDIR:
    return errc::invalid;
  default:
    return writes ? errc::lost : errc::retry;
  }
}

file_call::file_call(directory_kind kind, file_access access, std::string what)
  : kind_(kind), access_(access), what_(std::move(what)), begun_(monotonic_now()) {}

tl::unexpected<error> file_call::failure(int number, const std::filesystem::path& file) const {
  const auto code = errc_of(number, access_, kind_, monotonic_now() - begun_);
  return failure(code, std::generic_category().message(number), file);
}

tl::unexpected<error> file_call::failure(
  errc code, const std::string& why, const std::filesystem::path& file) const {
  return fail(code, what_ + ": " + why, file.string());
}

} // namespace drover
