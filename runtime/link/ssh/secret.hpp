// A text that nobody may read in a core dump or a log: a private key, a passphrase. Rule: it is
// wiped when it goes, never formatted, and copied only where a library must have it.
#pragma once

#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace drover {

class secret {
public:
  secret() : bytes_(1, '\0') {}
  explicit secret(std::string_view text) : bytes_(text.begin(), text.end()) {
    bytes_.push_back('\0');
  }
  secret(secret&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  secret& operator=(secret&& other) noexcept {
    bytes_.swap(other.bytes_);
    return *this;
  }
  secret(const secret&) = delete;
  secret& operator=(const secret&) = delete;
  ~secret() {
    // Not a plain loop: the compiler may drop writes that nobody reads.
    if (!bytes_.empty())
      ::explicit_bzero(bytes_.data(), bytes_.size());
  }

  /// With a NUL behind it, for C.
  const char* c_str() const { return bytes_.empty() ? "" : bytes_.data(); }
  std::string_view view() const {
    return bytes_.empty() ? std::string_view{} : std::string_view{bytes_.data(), bytes_.size() - 1};
  }

private:
  std::vector<char> bytes_; ///< never a std::string: moving a short one leaves its bytes behind
};

} // namespace drover
