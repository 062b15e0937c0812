// The encoding that SSH's messages, its agent and its key files share (RFC 4251, section 5), and
// base64. Rule: a reader never reads past its end; what is too short reads as nothing and stays
// broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover::ssh {

class byte_reader {
public:
  explicit byte_reader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t byte();
  std::uint32_t number();
  /// A length and as many bytes.
  std::string_view text();
  std::string_view bytes(std::size_t count);

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

private:
  std::string_view rest_;
  bool ok_ = true;
};

std::string number_bytes(std::uint32_t number);
/// A length and the bytes.
std::string text_bytes(std::string_view text);

std::string base64(std::string_view bytes);
/// Nullopt for anything but whole, padded base64.
std::optional<std::string> from_base64(std::string_view text);

/// What a stranger sent, made fit for a line of a log; cut short after `chars_max`.
std::string plain_text(std::string_view text, std::size_t chars_max);

} // namespace drover::ssh
