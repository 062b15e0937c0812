#include "runtime/hypervisor/adopted_stream.hpp"

namespace drover {

adopted_stream judge_adopted(
  stream_role role, const std::string& status, const std::string& migration) {
  if (role == stream_role::none)
    return adopted_stream::none;
  if (role == stream_role::target) {
    if (status != "inmigrate")
      return adopted_stream::completed;
    return migration.empty() || migration == "none" ? adopted_stream::none
                                                    : adopted_stream::under_way;
  }
  // QEMU calls a stream completed some moments before its run state is `postmigrate`.
  if (status == "postmigrate" || (status == "finish-migrate" && migration == "completed"))
    return adopted_stream::completed;
  if (migration == "cancelled")
    return adopted_stream::cancelled;
  if (migration == "failed" || migration == "completed" || migration == "none" || migration.empty())
    return adopted_stream::failed;
  return status == "finish-migrate" ? adopted_stream::switching_over : adopted_stream::under_way;
}

} // namespace drover
