#include "runtime/journal/journal_book.hpp"

#include "tests/runtime/journal/journal_samples.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace drover::testing;

namespace {

template <class T>
std::vector<T> all(const std::vector<journal_change>& changes) {
  std::vector<T> found;
  for (const auto& c : changes)
    if (const auto* one = std::get_if<T>(&c))
      found.push_back(*one);
  return found;
}

} // namespace

TEST_CASE("a VM is written down as begun before anything else happens to it", "[pure]") {
  journal_book book{{some_vm(100, 0), some_vm(101, 1)}};
  const auto vms = all<journal_vm>(book.begins(vm_id{101}, at_s(7)));
  REQUIRE(vms.size() == 1);
  auto expected = some_vm(101, 1);
  expected.phase = "begun";
  expected.changed = at_s(7);
  CHECK(vms.front() == expected);
  CHECK(book.begins(vm_id{999}, at_s(7)).empty());
}

TEST_CASE("every change of a VM carries the whole of it", "[pure]") {
  journal_book book{{some_vm(100)}};
  book.begins(vm_id{100}, at_s(7));
  const auto streaming =
    book.take({at_s(8), phase_changed{vm_id{100}, epoch{4}, "queued", "streaming"}});
  REQUIRE(all<journal_vm>(streaming).size() == 1);
  CHECK(all<journal_vm>(streaming).front().phase == "streaming");
  CHECK(all<journal_vm>(streaming).front().number == epoch{4});
  REQUIRE(all<journal_event>(streaming).size() == 1);
  CHECK(all<journal_event>(streaming).front().vm == vm_id{100});

  migration_ended end;
  end.vm = vm_id{100};
  end.number = epoch{4};
  end.target = node_id{"n2"};
  end.result = "moved";
  end.pause_s = 0.002;
  end.total_s = 1.5;
  end.bytes = 4096;
  const auto ended = all<journal_vm>(book.take({at_s(9), end}));
  REQUIRE(ended.size() == 1);
  CHECK(ended.front().phase == "ended");
  CHECK(ended.front().result == "moved");
  CHECK(ended.front().pause_s == 0.002);
  CHECK(ended.front().number == epoch{4});
  CHECK(ended.front().changed == at_s(9));
  CHECK(ended.front().name == "vm 100");
}

TEST_CASE("what comes often and tells nothing of the past is not kept", "[pure]") {
  journal_book book{{some_vm(100)}};
  CHECK(book.take({at_s(1), stream_moved{vm_id{100}, epoch{1}, 1, 2, 3, 4}}).empty());
  CHECK(book.take({at_s(1), permits_counted{"cluster", {}, 1, 2, 3}}).empty());
  CHECK(book.take({at_s(1), node_answered{node_id{"n1"}, "ping", "ok", 5}}).empty());
  CHECK(book.take({at_s(1), store_operation{}}).empty());
}

TEST_CASE("events of VMs that are not of the run are told, and change no VM", "[pure]") {
  journal_book book{{some_vm(100)}};
  const auto changes = book.take({at_s(1), phase_changed{vm_id{7}, epoch{1}, "waiting", "ended"}});
  CHECK(all<journal_vm>(changes).empty());
  CHECK(all<journal_event>(changes).size() == 1);
}
