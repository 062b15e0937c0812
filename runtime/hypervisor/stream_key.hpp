// The pre-shared key of one encrypted stream. Rule: made from the kernel's randomness at the
// target, for one epoch of one VM; whoever presents another epoch's identity is turned away by the
// handshake itself.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"

#include <string>
#include <string_view>

namespace drover {

/// 32 bytes of the kernel's randomness, in hexadecimal digits.
std::string make_secret();
inline constexpr std::size_t secret_digits = 64;

/// Who the key is for, as both QEMUs name it in their handshake: "100-epoch-7".
std::string key_identity(vm_id vm, epoch number);

/// `invalid` without showing it: a key becomes a line of a file, so nothing but digits may be in
/// it.
result<void> check_key(std::string_view key);

} // namespace drover
