#include "runtime/store/make_store.hpp"

#include <catch2/catch.hpp>

namespace drover {

TEST_CASE("a store is made from the words of a cluster file, and nothing is touched yet") {
  const auto nowhere = [](std::function<void()>) {};
  const store_spec right{"pmxcfs", "/nonexistent/cluster", node_id{"n1"}};
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
    to_string(make_store(wrong, nowhere).error()), Catch::Contains("expected pmxcfs or lagging"));
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

} // namespace drover
