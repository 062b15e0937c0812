#include "runtime/store/etcd/base64.hpp"

#include <openssl/evp.h>

namespace drover::etcd {

std::string to_base64(std::string_view plain) {
  // libcrypto ends what it writes with a 0.
  std::string text((plain.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(
    reinterpret_cast<unsigned char*>(text.data()),
    reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  std::string plain(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(
    reinterpret_cast<unsigned char*>(plain.data()),
    reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0 || (size == 0 && !text.empty()))
    return std::nullopt;
  // It counts the padding as zeros.
  auto end = static_cast<std::size_t>(size);
  for (auto at = text.rbegin(); at != text.rend() && *at == '='; ++at)
    --end;
  plain.resize(end);
  return plain;
}

} // namespace drover::etcd
