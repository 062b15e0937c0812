#include "runtime/store/etcd/etcd_messages.hpp"

#include "runtime/store/etcd/base64.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace drover::etcd {

using nlohmann::json;

namespace {

// Codes of gRPC that etcd uses, by https://grpc.github.io/grpc/core/md_doc_statuscodes.html.
constexpr int code_invalid_argument = 3;
constexpr int code_not_found = 5;
constexpr int code_permission_denied = 7;
constexpr int code_resource_exhausted = 8;
constexpr int code_failed_precondition = 9;
constexpr int code_out_of_range = 11;
constexpr int code_unauthenticated = 16;

/// The first key that does not begin with `prefix`.
std::string end_of(std::string prefix) {
  ++prefix.back();
  return prefix;
}

std::uint64_t number(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end())
    return 0;
  if (found->is_number_unsigned())
    return found->get<std::uint64_t>();
  std::uint64_t value = 0;
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), value);
  }
  return value;
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// An empty object where there is none.
const json& child(const json& object, const char* key) {
  static const json none = json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : none;
}

const json& list_of(const json& object, const char* key) {
  static const json none = json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : none;
}

tl::unexpected<error> not_understood(const std::string& body) {
  return fail(errc::bug, "etcd's answer is not understood", body.substr(0, 200));
}

result<json> object_in(const std::string& body) {
  auto parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object())
    return not_understood(body);
  return parsed;
}

result<key_value> entry_of(const json& from) {
  const auto key = from_base64(text_of(from, "key"));
  const auto value = from_base64(text_of(from, "value"));
  if (!key || !value)
    return not_understood(from.dump());
  return key_value{
    *key, *value, number(from, "create_revision"), number(from, "mod_revision"),
    number(from, "lease")};
}

result<range_answer> range_in(const json& from) {
  range_answer answer;
  answer.revision = number(child(from, "header"), "revision");
  for (const auto& one : list_of(from, "kvs")) {
    auto entry = entry_of(one);
    if (!entry)
      return tl::unexpected{entry.error()};
    answer.entries.push_back(std::move(*entry));
  }
  return answer;
}

std::string first_line(const std::string& text) {
  return text.substr(0, std::min(text.find('\n'), std::size_t{200}));
}

json range_of(const std::string& key) { return {{"key", to_base64(key)}}; }

} // namespace

std::string range_request(const std::string& key) { return range_of(key).dump(); }

std::string prefix_request(const std::string& prefix) {
  return json{{"key", to_base64(prefix)}, {"range_end", to_base64(end_of(prefix))}}.dump();
}

std::string transaction_request(const transaction& made) {
  auto compare = json::array();
  auto success = json::array();
  auto failure = json::array();
  for (const auto& one : made.conditions) {
    compare.push_back(
      {{"key", to_base64(one.key)},
       {"target", "MOD"},
       {"result", "EQUAL"},
       {"mod_revision", std::to_string(one.mod_revision)}});
    failure.push_back({{"request_range", range_of(one.key)}});
  }
  for (const auto& one : made.puts) {
    json entry{{"key", to_base64(one.key)}, {"value", to_base64(one.value)}};
    if (one.lease != 0)
      entry["lease"] = std::to_string(one.lease);
    success.push_back({{"request_put", std::move(entry)}});
  }
  for (const auto& key : made.removals)
    success.push_back({{"request_delete_range", range_of(key)}});
  return json{{"compare", compare}, {"success", success}, {"failure", failure}}.dump();
}

std::string lease_grant_request(std::uint64_t ttl_s) {
  return json{{"TTL", std::to_string(ttl_s)}}.dump();
}

std::string lease_request(std::uint64_t lease) {
  return json{{"ID", std::to_string(lease)}}.dump();
}

std::string watch_request(const std::string& prefix, std::uint64_t from_revision) {
  const json created{
    {"key", to_base64(prefix)},
    {"range_end", to_base64(end_of(prefix))},
    {"start_revision", std::to_string(from_revision)}};
  return json{{"create_request", created}}.dump();
}

std::string login_request(const std::string& user, const std::string& password) {
  return json{{"name", user}, {"password", password}}.dump(
    -1, ' ', false, json::error_handler_t::replace);
}

result<range_answer> parse_range(const std::string& body) {
  const auto from = object_in(body);
  if (!from)
    return tl::unexpected{from.error()};
  return range_in(*from);
}

result<transaction_answer> parse_transaction(const std::string& body) {
  const auto from = object_in(body);
  if (!from)
    return tl::unexpected{from.error()};
  transaction_answer answer;
  answer.revision = number(child(*from, "header"), "revision");
  answer.succeeded = from->value("succeeded", false);
  if (answer.revision == 0)
    return not_understood(body);
  if (answer.succeeded)
    return answer;
  for (const auto& one : list_of(*from, "responses")) {
    auto range = range_in(child(one, "response_range"));
    if (!range)
      return tl::unexpected{range.error()};
    answer.present.push_back(
      range->entries.empty() ? std::nullopt : std::optional{std::move(range->entries.front())});
  }
  return answer;
}

result<std::uint64_t> parse_lease(const std::string& body) {
  const auto from = object_in(body);
  if (!from || number(*from, "ID") == 0)
    return not_understood(body);
  return number(*from, "ID");
}

result<std::uint64_t> parse_keepalive(const std::string& body) {
  const auto from = object_in(body);
  if (!from || !from->contains("result"))
    return not_understood(body);
  return number(child(*from, "result"), "TTL");
}

result<std::string> parse_token(const std::string& body) {
  const auto from = object_in(body);
  if (!from || text_of(*from, "token").empty())
    return not_understood(body);
  return text_of(*from, "token");
}

result<watch_news> parse_watch(const std::string& line) {
  const auto from = object_in(line);
  if (!from)
    return tl::unexpected{from.error()};
  if (from->contains("error"))
    return tl::unexpected{parse_failure(0, line).why};
  const auto& told = child(*from, "result");
  watch_news news;
  news.revision = number(child(told, "header"), "revision");
  if (told.value("canceled", false)) {
    if (number(told, "compact_revision") == 0)
      return fail(errc::lost, "etcd has ended the watch", text_of(told, "cancel_reason"));
    news.is_compacted = true;
    return news;
  }
  for (const auto& one : list_of(told, "events")) {
    auto entry = entry_of(child(one, "kv"));
    if (!entry)
      return tl::unexpected{entry.error()};
    const bool removed = text_of(one, "type") == "DELETE";
    news.changes.push_back(
      {removed ? change::kind::removed : change::kind::written, std::move(*entry)});
  }
  return news;
}

failure parse_failure(int http_status, const std::string& body) {
  const auto parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object() && http_status >= 400 && http_status < 500)
    return {{errc::invalid, "etcd takes no such request", first_line(body)}};
  if (!parsed.is_object())
    return {{errc::lost, "etcd answered HTTP " + std::to_string(http_status), body.substr(0, 200)}};
  const bool nested = parsed.contains("error") && parsed["error"].is_object();
  const auto& from = nested ? parsed["error"] : parsed;
  const auto code = static_cast<int>(number(from, nested ? "grpc_code" : "code"));
  auto words = text_of(from, "message");
  if (words.empty())
    words = text_of(from, "error");
  const auto said = "etcd: " + words;
  if (words.find("no leader") != std::string::npos)
    return {{errc::refused, "no quorum", said}};
  if (words.find("invalid auth token") != std::string::npos)
    return {{errc::retry, "the login is over", said}, true};
  switch (code) {
  case code_invalid_argument:
  case code_permission_denied:
  case code_unauthenticated:
  case code_out_of_range:
  case code_failed_precondition:
    return {{errc::invalid, "etcd takes no such request", said}};
  case code_not_found:
    return {{errc::conflict, "etcd does not have it", said}};
  case code_resource_exhausted:
    return {{errc::refused, "etcd takes no writes", said}};
  default:
    return {{errc::lost, "etcd gave no certain answer", said}};
  }
}

} // namespace drover::etcd
