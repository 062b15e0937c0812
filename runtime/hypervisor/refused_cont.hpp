// What a refused `cont` means at a source whose stream is over. Pure. Rule: QEMU (7.2) reports the
// stream's end some moments before it is in postmigrate and refuses `cont` until then, with words
// that a refusal for good has, too; so only the state that is asked for afterwards tells them
// apart.
#pragma once

#include <cstdint>
#include <string_view>

namespace drover {

enum class refused_cont : std::uint8_t {
  ask_later, ///< it will take it
  /// It may have come there between the refusal and the look: one more refusal is its answer.
  ask_once_more,
  final,
};

/// `status` is of a `query-status` that was asked after the refusal.
constexpr refused_cont judge_refused_cont(std::string_view status) {
  if (status == "finish-migrate")
    return refused_cont::ask_later;
  return status == "postmigrate" ? refused_cont::ask_once_more : refused_cont::final;
}

} // namespace drover
