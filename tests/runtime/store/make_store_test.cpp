#include "runtime/store/make_store.hpp"

#include <catch2/catch.hpp>

namespace drover {

TEST_CASE("a store is made from the words of a cluster file, and nothing is touched yet") {
  const auto nowhere = [](std::function<void()>) {};
  store_spec right;
  right.directory = "/nonexistent/cluster";
  right.node = node_id{"n1"};
  CHECK(make_store(right, nowhere).has_value());

  auto lagging = right;
  lagging.kind = "lagging";
  lagging.lag = exactly(milliseconds{100});
  CHECK(make_store(lagging, nowhere).has_value());

  auto wrong = right;
  wrong.lag = lagging.lag;
  CHECK_THAT(to_string(make_store(wrong, nowhere).error()), Catch::Contains("only the kind"));
  wrong = right;
  wrong.kind = "etcd3";
  REQUIRE_FALSE(make_store(wrong, nowhere));
  CHECK_THAT(
    to_string(make_store(wrong, nowhere).error()),
    Catch::Contains("expected pmxcfs, lagging or etcd"));
  wrong = right;
  wrong.directory.clear();
  CHECK_FALSE(make_store(wrong, nowhere));
  wrong = right;
  wrong.node = node_id{""};
  CHECK_FALSE(make_store(wrong, nowhere));
  wrong = right;
  wrong.call_deadline = milliseconds{0};
  CHECK_FALSE(make_store(wrong, nowhere));
}

TEST_CASE("a store on etcd needs members that can be asked") {
  const auto nowhere = [](std::function<void()>) {};
  store_spec right;
  right.kind = "etcd";
  right.node = node_id{"n1"};
  right.reached.endpoints = {"http://127.0.0.1:1", "https://[::1]:2379"};
  // Nobody is asked before the first call.
  CHECK(make_store(right, nowhere).has_value());

  const auto refusal = [&](const store_spec& spec) {
    const auto made = make_store(spec, nowhere);
    REQUIRE_FALSE(made);
    return to_string(made.error());
  };
  auto wrong = right;
  wrong.reached.endpoints.clear();
  CHECK_THAT(refusal(wrong), Catch::Contains("at least one"));
  for (const auto* endpoint :
       {"", "10.0.0.1:2379", "http://10.0.0.1", "ftp://a:1", "http://a:1/v3", "http://a:99999"}) {
    wrong.reached.endpoints = {endpoint};
    CHECK_THAT(refusal(wrong), Catch::Contains("expected one like https://10.0.0.1:2379"));
  }
  for (const auto* prefix : {"", "/", "drover", "/drover/"}) {
    wrong = right;
    wrong.prefix = prefix;
    CHECK_THAT(refusal(wrong), Catch::Contains("prefix"));
  }
  wrong = right;
  wrong.reached.certificate = "/etc/drover/client.pem";
  CHECK_THAT(refusal(wrong), Catch::Contains("go together"));
}

} // namespace drover
