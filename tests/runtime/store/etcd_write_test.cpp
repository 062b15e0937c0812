// A write to etcd is made exactly once, whatever becomes of its answers: searched over all orders
// of lost requests, lost answers, copies that arrive late and writes of others.
#include "runtime/store/etcd/etcd_write.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

using namespace drover;
using namespace drover::etcd;
using write_once = drover::etcd::write;

namespace {

/// As much of an etcd as a transaction needs.
struct small_etcd {
  std::map<std::string, key_value> entries;
  std::uint64_t revision = 10;

  write_once::present find(const std::string& key) const {
    const auto found = entries.find(key);
    return found == entries.end() ? std::nullopt : write_once::present{found->second};
  }
  void put(const std::string& key, const std::string& value) {
    auto& entry = entries[key];
    entry.key = key;
    entry.value = value;
    entry.mod_revision = revision;
  }
  transaction_answer apply(const transaction& made) {
    transaction_answer answer;
    answer.succeeded = true;
    for (const auto& one : made.conditions) {
      const auto there = find(one.key);
      answer.present.push_back(there);
      if ((there ? there->mod_revision : 0) != one.mod_revision)
        answer.succeeded = false;
    }
    if (answer.succeeded) {
      answer.present.clear();
      ++revision;
      for (const auto& one : made.puts)
        put(one.key, one.value);
    }
    answer.revision = revision;
    return answer;
  }
};

transaction appended(const write_once::present& there) {
  transaction made;
  made.puts.push_back({"list", (there ? there->value : "") + "x"});
  return made;
}

/// Each step of the way is one of these.
enum class fate { answered, request_lost, answer_lost, comes_late, other_writes };

struct played {
  bool done = false;
  bool may_be_done = false;
  std::string list;
};

played play(const std::vector<fate>& fates) {
  small_etcd cluster;
  cluster.put("list", "");
  cluster.put("mark", "before");
  write_once made{{"mark", "mine", "list"}, appended, cluster.find("list"), std::nullopt};
  std::vector<transaction> late;
  played out;
  for (const auto fate : fates) {
    auto next = made.next();
    REQUIRE(next);
    if (!*next) {
      made.take_newest(cluster.find("mark"), cluster.find("list"), cluster.revision);
      next = made.next();
      REQUIRE(next);
      REQUIRE(*next);
    }
    if (fate == fate::other_writes) {
      ++cluster.revision;
      cluster.put("list", cluster.find("list")->value + "o");
    }
    if (fate == fate::comes_late)
      late.push_back(**next);
    if (fate == fate::answered || fate == fate::other_writes) {
      if (made.take_answer(cluster.apply(**next))) {
        out.done = true;
        break;
      }
      continue;
    }
    if (fate == fate::answer_lost)
      cluster.apply(**next);
    made.take_failure(errc::timeout);
  }
  for (const auto& one : late)
    cluster.apply(one);
  out.may_be_done = made.may_be_done();
  out.list = cluster.find("list")->value;
  return out;
}

} // namespace

TEST_CASE("a write whose answers get lost is made once") {
  const std::vector all{
    fate::answered, fate::request_lost, fate::answer_lost, fate::comes_late, fate::other_writes};
  std::size_t ways = 0;
  constexpr std::size_t steps = 5;
  for (std::size_t code = 0; code < 3125; ++code, ++ways) {
    std::vector<fate> fates;
    for (std::size_t step = 0, rest = code; step < steps; ++step, rest /= all.size())
      fates.push_back(all[rest % all.size()]);
    const auto end = play(fates);
    const auto made = std::count(end.list.begin(), end.list.end(), 'x');
    INFO("way " << code << ": " << end.list);
    REQUIRE(made <= 1);
    if (end.done)
      REQUIRE(made == 1);
    else if (!end.may_be_done)
      REQUIRE(made == 0);
  }
  CHECK(ways == 3125);
}

TEST_CASE("a view that lags can say yes and not no") {
  const auto unless_taken = [](const write_once::present& there) -> result<transaction> {
    if (there)
      return fail(errc::conflict, "taken", there->value);
    return appended(there);
  };
  write_once made{{"mark", "mine", "list"}, unless_taken, key_value{"list", "x", 1, 1, 0}, 7};
  const auto first = made.next();
  REQUIRE(first);
  CHECK_FALSE(*first); // has to be read
  made.take_newest(key_value{"mark", "m", 1, 8, 0}, std::nullopt, 9);
  const auto second = made.next();
  REQUIRE(second);
  REQUIRE(*second);
  CHECK((*second)->conditions.at(0).mod_revision == 8);
  made.take_newest(std::nullopt, key_value{"list", "x", 1, 1, 0}, 9);
  CHECK_FALSE(made.next());
}
