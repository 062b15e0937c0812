// etcd's JSON gateway, message by message; its answers as a real etcd 3.4 gave them.
#include "runtime/store/etcd/base64.hpp"
#include "runtime/store/etcd/etcd_messages.hpp"
#include "runtime/store/etcd/etcd_mirror.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace drover::etcd;

TEST_CASE("base64 gives back every text") {
  std::string text;
  for (int size = 0; size < 70; ++size) {
    CHECK(from_base64(to_base64(text)) == text);
    text += static_cast<char>(size * 37);
  }
  CHECK(to_base64("/own") == "L293bg==");
  CHECK_FALSE(from_base64("abc"));
  CHECK_FALSE(from_base64("ab!?"));
}

TEST_CASE("etcd's requests have exactly the fields that its gateway knows") {
  // It ignores what it does not know, so a wrong name here would be a write without a condition.
  transaction made;
  made.conditions = {{"a", 7}, {"b", 0}};
  made.puts = {{"a", "1", 0}, {"l", "x", 42}};
  made.removals = {"b"};
  CHECK(
    transaction_request(made) ==
    R"({"compare":[{"key":"YQ==","mod_revision":"7","result":"EQUAL","target":"MOD"},)"
    R"({"key":"Yg==","mod_revision":"0","result":"EQUAL","target":"MOD"}],)"
    R"("failure":[{"request_range":{"key":"YQ=="}},{"request_range":{"key":"Yg=="}}],)"
    R"("success":[{"request_put":{"key":"YQ==","value":"MQ=="}},)"
    R"({"request_put":{"key":"bA==","lease":"42","value":"eA=="}},)"
    R"({"request_delete_range":{"key":"Yg=="}}]})");
  CHECK(range_request("a") == R"({"key":"YQ=="})");
  CHECK(prefix_request("/own/vm/") == R"({"key":"L293bi92bS8=","range_end":"L293bi92bTA="})");
  CHECK(lease_grant_request(120) == R"({"TTL":"120"})");
  CHECK(lease_request(77) == R"({"ID":"77"})");
  CHECK(
    watch_request("/d/", 9) ==
    R"({"create_request":{"key":"L2Qv","range_end":"L2Qw","start_revision":"9"}})");
  CHECK(login_request("root", "p\"w") == R"({"name":"root","password":"p\"w"})");
}

TEST_CASE("a transaction that did not succeed has no word for it") {
  const auto won = parse_transaction(
    R"({"header":{"revision":"5"},"succeeded":true,"responses":[{"response_put":{}}]})");
  REQUIRE(won);
  CHECK(won->succeeded);
  CHECK(won->revision == 5);
  const auto lost = parse_transaction(
    R"({"header":{"revision":"6"},"responses":[{"response_range":{"header":{}}},)"
    R"({"response_range":{"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"4",)"
    R"("value":"MQ==","lease":"9"}],"count":"1"}}]})");
  REQUIRE(lost);
  CHECK_FALSE(lost->succeeded);
  REQUIRE(lost->present.size() == 2);
  CHECK_FALSE(lost->present[0]);
  CHECK(lost->present[1] == key_value{"a", "1", 2, 4, 9});
  CHECK_FALSE(parse_transaction("{}"));
  CHECK_FALSE(parse_transaction("no json"));
}

TEST_CASE("leases, logins and empty ranges") {
  CHECK(parse_lease(R"({"header":{},"ID":"2324","TTL":"5"})") == 2324U);
  CHECK_FALSE(parse_lease(R"({"header":{}})"));
  CHECK(parse_keepalive(R"({"result":{"header":{},"ID":"1","TTL":"5"}})") == 5U);
  CHECK(parse_keepalive(R"({"result":{"header":{},"ID":"1"}})") == 0U); // gone
  CHECK(parse_token(R"({"header":{},"token":"t.1"})") == "t.1");
  const auto none = parse_range(R"({"header":{"revision":"3"}})");
  REQUIRE(none);
  CHECK(none->entries.empty());
  CHECK(none->revision == 3);
}

TEST_CASE("a watch tells of writes, removals and its own end") {
  const auto created = parse_watch(R"({"result":{"header":{"revision":"8"},"created":true}})");
  REQUIRE(created);
  CHECK(created->changes.empty());
  const auto events =
    parse_watch(R"({"result":{"header":{"revision":"9"},"events":[)"
                R"({"kv":{"key":"YQ==","create_revision":"9","mod_revision":"9","value":"MQ=="}},)"
                R"({"type":"DELETE","kv":{"key":"Yg==","mod_revision":"9"}}]}})");
  REQUIRE(events);
  REQUIRE(events->changes.size() == 2);
  CHECK(events->changes[0].what == change::kind::written);
  CHECK(events->changes[1].what == change::kind::removed);
  CHECK(events->changes[1].entry.key == "b");
  const auto compacted =
    parse_watch(R"({"result":{"header":{},"canceled":true,"compact_revision":"9"}})");
  REQUIRE(compacted);
  CHECK(compacted->is_compacted);
  const auto ended =
    parse_watch(R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}})");
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == errc::refused);
  CHECK_FALSE(parse_watch(R"({"result":{"canceled":true,"cancel_reason":"x"}})"));
}

TEST_CASE("what etcd refuses for certain is told apart from what nobody knows") {
  const auto code = [](int status, const std::string& body) {
    return parse_failure(status, body).why.code;
  };
  CHECK(code(503, R"({"error":"etcdserver: no leader","code":14})") == errc::refused);
  CHECK(code(503, R"({"error":"etcdserver: request timed out","code":14})") == errc::lost);
  CHECK(code(500, R"({"error":"context deadline exceeded","code":2})") == errc::lost);
  CHECK(code(400, R"({"error":"etcdserver: duplicate key","code":3})") == errc::invalid);
  CHECK(code(404, R"({"error":"requested lease not found","code":5})") == errc::conflict);
  CHECK(code(403, R"({"error":"etcdserver: permission denied","code":7})") == errc::invalid);
  CHECK(code(502, "<html>") == errc::lost);
  CHECK(code(400, "CommonName of client will be ignored\n") == errc::invalid);
  CHECK(
    parse_failure(401, R"({"error":"etcdserver: invalid auth token","code":16})").is_login_over);
}

TEST_CASE("the mirror shows whole revisions and never goes back") {
  mirror seen;
  seen.replace({5, {{"a", "1", 2, 2, 0}, {"b", "1", 5, 5, 0}}});
  CHECK(seen.revision() == 5);
  watch_news news;
  news.changes = {
    {change::kind::written, {"a", "2", 2, 7, 0}}, {change::kind::removed, {"b", "", 0, 7, 0}}};
  seen.apply(news);
  CHECK(seen.revision() == 7);
  CHECK(seen.find("a")->value == "2");
  CHECK_FALSE(seen.find("b"));
  // Told twice, and an older list of a member that lags.
  news.changes = {{change::kind::written, {"b", "1", 5, 5, 0}}};
  seen.apply(news);
  seen.replace({6, {}});
  CHECK_FALSE(seen.find("b"));
  CHECK(seen.revision() == 7);
  CHECK(seen.below("a").size() == 1);
  CHECK(seen.below("c").empty());
}
