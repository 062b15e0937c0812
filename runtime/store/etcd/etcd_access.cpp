#include "runtime/store/etcd/etcd_access.hpp"

#include <curl/curl.h>
#include <memory>

namespace drover::etcd {
namespace {

struct url_deleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string part_of(CURLU* url, CURLUPart part) {
  char* found = nullptr;
  std::string text;
  if (curl_url_get(url, part, &found, 0) == CURLUE_OK)
    text = found;
  curl_free(found);
  return text;
}

/// A scheme, a host and a port, and no path: etcd's own are appended.
bool is_endpoint(const std::string& text) {
  const std::unique_ptr<CURLU, url_deleter> url{curl_url()};
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
    return false;
  const auto scheme = part_of(url.get(), CURLUPART_SCHEME);
  const auto path = part_of(url.get(), CURLUPART_PATH);
  return (scheme == "http" || scheme == "https") && (path.empty() || path == "/") &&
         !part_of(url.get(), CURLUPART_PORT).empty();
}

} // namespace

std::optional<access_fault> fault_of(const access& reached, const std::string& prefix) {
  if (reached.endpoints.empty())
    return access_fault{"endpoints", "at least one is needed, like http://10.0.0.1:2379"};
  for (const auto& one : reached.endpoints)
    if (!is_endpoint(one))
      return access_fault{
        "endpoints", "expected one like https://10.0.0.1:2379, found \"" + one + "\""};
  if (prefix.size() < 2 || prefix.front() != '/' || prefix.back() == '/')
    return access_fault{"prefix", "expected one like \"/drover\", found \"" + prefix + "\""};
  if (reached.certificate.empty() != reached.key.empty())
    return access_fault{
      reached.key.empty() ? "key" : "certificate", "a certificate and its key go together"};
  if (reached.user.empty() != reached.password.empty())
    return access_fault{
      reached.user.empty() ? "user" : "password", "a user and a password go together"};
  return std::nullopt;
}

} // namespace drover::etcd
