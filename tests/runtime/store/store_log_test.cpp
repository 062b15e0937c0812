#include "runtime/store/store_log.hpp"

#include "runtime/base/luck.hpp"

#include <catch2/catch.hpp>

namespace drover {
namespace {

const vm_id vm{100};
const node_id n1{"n1"};
const node_id n2{"n2"};

config_text text_of(const char* text) { return std::make_shared<const std::string>(text); }

handover_record record_of(std::uint64_t number) {
  return {vm, epoch{number},  record_state::moving, n1,
          n2, policy::ticket, "controller",         source_outcome::unpublished};
}

} // namespace

TEST_CASE("the log is read as it was after any of its entries") {
  store_log log;
  log.put_first(vm, n1, "first");
  CHECK(log.append({{}, n1, config_placed{vm, n2, nullptr}}) == 1);
  log.append({{}, n2, config_placed{vm, n2, text_of("second")}});
  log.append({{}, n2, record_written{record_of(7)}});
  log.append({{}, n1, config_removed{vm}});
  log.append({{}, n1, nothing_changed{}});
  REQUIRE(log.end() == 5);

  CHECK(log.owner(vm, 0) == n1);
  CHECK(log.owner(vm, 1) == n2);
  CHECK(*log.config(vm, 1)->text == "first");
  CHECK(*log.config(vm, 3)->text == "second");
  CHECK(log.config(vm, 4) == nullptr);
  CHECK(log.places(3) == std::map<vm_id, node_id>{{vm, n2}});
  CHECK(log.places(5).empty());
  CHECK(log.record(vm, 2) == nullptr);
  CHECK(*log.record(vm, 5) == record_of(7));
  CHECK(log.records(2).empty());
  CHECK(log.records(3).size() == 1);
  CHECK(log.owner(vm_id{101}, 5) == std::nullopt);
  CHECK(log.last_of(n1) == 5);
  CHECK(log.last_of(n2) == 3);
  CHECK(log.last_of(node_id{"n3"}) == 0);
}

TEST_CASE("all places are told as of any position, in whatever order they are asked for") {
  store_log log;
  std::vector<std::map<vm_id, node_id>> expected(1);
  for (std::uint32_t i = 0; i < 5; ++i) {
    log.put_first(vm_id{100 + i}, n1, "a");
    expected.back()[vm_id{100 + i}] = n1;
  }
  luck chance{5};
  for (int step = 0; step < 200; ++step) {
    auto now = expected.back();
    const vm_id which{100 + static_cast<std::uint32_t>(chance.below(8))};
    if (chance.below(4) == 0) {
      log.append({{}, n1, config_removed{which}});
      now.erase(which);
    } else {
      const auto owner = chance.below(2) == 0 ? n1 : n2;
      log.append({{}, n1, config_placed{which, owner, text_of("b")}});
      now[which] = owner;
    }
    expected.push_back(now);
  }
  for (int look = 0; look < 500; ++look) {
    const auto seen = chance.below(expected.size());
    REQUIRE(log.places(seen) == expected[seen]);
  }
}

TEST_CASE("only a config that changes its place counts as moved") {
  store_log log;
  using kind = store_log::stamp::kind;
  log.append({{}, n1, config_placed{vm, n1, text_of("a")}});
  log.append({{}, n1, config_placed{vm, n1, text_of("b")}});
  log.append({{}, n1, config_placed{vm, n2, nullptr}});
  log.append({{}, n1, config_removed{vm}});
  log.append({{}, n1, config_placed{vm, n1, text_of("c")}});
  CHECK(log.entry(1).what == kind::config);
  CHECK(log.entry(2).what == kind::config);
  CHECK(log.entry(3).what == kind::moved);
  CHECK(log.entry(4).what == kind::config);
  CHECK(log.entry(5).what == kind::config);
}

TEST_CASE("locks are found by the beginning of their names, in order") {
  store_log log;
  log.append({nanoseconds{5}, n1, lock_taken{"drover-2", "x", n1}});
  log.append({{}, n1, lock_taken{"drover-1", "y", n1}});
  log.append({{}, n1, lock_taken{"drovf", "z", n1}});
  log.append({{}, n1, lock_taken{"drouer", "z", n1}});
  log.append({{}, n2, lock_removed{"drover-1"}});
  const auto before = log.locks("drover", 4);
  REQUIRE(before.size() == 2);
  CHECK(before.begin()->first == "drover-1");
  CHECK(before.at("drover-2").at == nanoseconds{5});
  CHECK(log.locks("drover", 5).size() == 1);
  CHECK(log.locks("", 5).size() == 3);
  CHECK(log.lock("drover-1", 5) == nullptr);
  CHECK(log.lock("drover-1", 4)->holder == "y");
  CHECK(log.lock_number("drover-1") == 1);
  CHECK(log.lock_number("none") == std::nullopt);
}

TEST_CASE("what is undone stands as before, and what came to nothing needs no undoing") {
  store_log log;
  log.put_first(vm, n1, "a");
  log.append({{}, n1, record_written{record_of(1)}});
  const auto since = log.end();
  log.append({{}, n1, config_placed{vm, n2, nullptr}});
  log.append({{}, n1, record_written{record_of(2)}});
  log.append({{}, n1, config_placed{vm_id{200}, n1, text_of("born")}});
  log.append({{}, n1, config_removed{vm_id{200}}});
  log.append({{}, n1, lock_taken{"lease", "x", n1}});
  const auto changes = log.undo(since);
  CHECK(changes.size() == 3);
  for (const auto& change : changes)
    log.append({{}, n2, change});
  CHECK(log.places(log.end()) == log.places(since));
  CHECK(*log.config(vm, log.end())->text == "a");
  CHECK(log.records(log.end()) == log.records(since));
  CHECK(log.locks("", log.end()).empty());
  CHECK(log.undo(log.end()).empty());
}

} // namespace drover
