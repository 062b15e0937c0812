#include "runtime/hypervisor/stream_key.hpp"

#include "runtime/base/check.hpp"

#include <array>
#include <cerrno>
#include <sys/random.h>

namespace drover {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

} // namespace

std::string make_secret() {
  std::array<unsigned char, secret_digits / 2> bytes{};
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto n = ::getrandom(bytes.data() + have, bytes.size() - have, 0);
    DROVER_CHECK(n > 0 || errno == EINTR, "the kernel has randomness");
    have += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  std::string text;
  for (const auto byte : bytes) {
    text += digits[byte / 16];
    text += digits[byte % 16];
  }
  return text;
}

std::string key_identity(vm_id vm, epoch number) {
  return to_string(vm) + "-epoch-" + to_string(number);
}

result<void> check_key(std::string_view key) {
  if (key.size() == secret_digits && key.find_first_not_of(digits) == std::string_view::npos)
    return {};
  return fail(
    errc::invalid,
    "the stream's key is not of " + std::to_string(secret_digits) + " hexadecimal digits");
}

} // namespace drover
