// What is left of a handover at a node, judged by marks, own QEMU and view alone.
#include "runtime/agent/leftover.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using wire::run_state;

namespace {

const node_id n1{"n1"};
const node_id n2{"n2"};
const vm_id vm{101};

own_part part_with(run_state machine, std::uint64_t number) {
  own_part part;
  part.vm = vm;
  part.here = n1;
  part.machine = machine;
  part.number = epoch{number};
  return part;
}

handover_record moving(std::uint64_t number, node_id from, node_id to) {
  return {vm,   epoch{number}, record_state::moving, std::move(from), std::move(to), policy::ticket,
          "c:1"};
}

} // namespace

TEST_CASE("a begin is half begun until it is answered, and unheard until something follows") {
  run_marks marks;
  CHECK_FALSE(is_half_begun(marks));
  CHECK_FALSE(is_unheard(marks));
  marks.seen = epoch{4};
  CHECK(is_half_begun(marks));
  CHECK_FALSE(is_unheard(marks));
  marks.begun = epoch{4};
  CHECK_FALSE(is_half_begun(marks));
  CHECK(is_unheard(marks));
  for (auto after : {&run_marks::settled, &run_marks::run, &run_marks::voided}) {
    auto later = marks;
    later.*after = epoch{4};
    CHECK_FALSE(is_unheard(later));
    later.begun = epoch{3};
    CHECK_FALSE(is_half_begun(later));
    later.*after = epoch{3};
    CHECK(is_half_begun(later));
  }
}

TEST_CASE("what a failed begin has left may come until something newer is settled") {
  run_marks marks;
  CHECK_FALSE(may_still_come(marks));
  marks.settled = marks.undone = epoch{3};
  CHECK(may_still_come(marks));
  marks.settled = epoch{4};
  CHECK_FALSE(may_still_come(marks));
}

TEST_CASE("a copy waits in every state but absent and run, settled or never moved") {
  CHECK(waits(part_with(run_state::incoming, 2)));
  CHECK(waits(part_with(run_state::postmigrate, 2)));
  CHECK_FALSE(waits(part_with(run_state::absent, 0)));
  CHECK_FALSE(waits(part_with(run_state::running, 0)));
  for (const auto state : {run_state::running, run_state::paused}) {
    auto part = part_with(state, 2);
    CHECK_FALSE(waits(part)); // it streams away, or has never moved
    part.marks.run = epoch{2};
    CHECK(waits(part));
    part.marks.settled = epoch{2};
    CHECK_FALSE(waits(part));
  }
}

TEST_CASE("a waiting copy is left over when nobody comes for it") {
  const auto part = part_with(run_state::incoming, 2);
  auto record = moving(2, n2, n1);
  CHECK_FALSE(is_left_over(part, record, "c:1"));
  CHECK(is_left_over(part, record, "c:2")); // another controller's
  record.state = record_state::settled;
  CHECK(is_left_over(part, record, "c:1"));
  CHECK(is_left_over(part, moving(3, n2, n1), "c:1"));       // overtaken
  CHECK_FALSE(is_left_over(part, moving(1, n2, n1), "c:2")); // older than the copy
  CHECK_FALSE(is_left_over(part_with(run_state::absent, 0), record, "c:1"));
}

TEST_CASE("the record of what stands settled is the store's, or is made from the marks") {
  auto part = part_with(run_state::running, 0);
  part.marks.settled = epoch{3};
  const vm_view own{n1, moving(3, n1, n2)};
  CHECK(settled_record(part, own) == own.record);

  SECTION("not where something newer is known") {
    CHECK_FALSE(settled_record(part, vm_view{n1, moving(4, n1, n2)}));
    part.marks.seen = epoch{4};
    CHECK_FALSE(settled_record(part, own));
  }
  SECTION("not of a VM that does not run") {
    part.machine = run_state::postmigrate;
    CHECK_FALSE(settled_record(part, own));
  }
  SECTION("it came: the config has gone back to its source") {
    part.marks.run = epoch{3};
    const auto made = settled_record(part, vm_view{n2, moving(2, n2, n1)});
    REQUIRE(made);
    CHECK(made->number == epoch{3});
    CHECK(made->source == n2);
    CHECK(made->target == n1);
    CHECK_FALSE(settled_record(part, vm_view{n1, std::nullopt})); // nobody knows from where
  }
  SECTION("it stayed: the target of the older record stands for the one that is lost") {
    const auto made = settled_record(part, vm_view{n1, moving(2, n1, n2)});
    REQUIRE(made);
    CHECK(made->number == epoch{3});
    CHECK(made->source == n1);
  }
}

TEST_CASE("a settling is taken back when the view shows less of the same epoch") {
  auto record = moving(3, n2, n1);
  const auto t = ticket_issuer::issue(record);
  CHECK(is_taken_back(t, n1, {n1, record}));
  record.state = record_state::settled;
  CHECK_FALSE(is_taken_back(t, n1, {n1, record}));
  CHECK(is_taken_back(t, n1, {n2, record}));
  CHECK(is_taken_back(t, n1, {n1, std::nullopt}));
  CHECK(is_taken_back(t, n1, {n1, moving(2, n2, n1)}));
  CHECK_FALSE(is_taken_back(t, n1, {n2, moving(4, n1, n2)}));
}

TEST_CASE("a record that the store has forgotten is made again from the marks") {
  auto source = part_with(run_state::postmigrate, 5);
  CHECK_FALSE(streamed_record(source, epoch{4}));
  source.marks.streamed = epoch{5};
  source.marks.target = n2;
  source.marks.how = policy::claim;
  const auto streamed = streamed_record(source, epoch{4});
  REQUIRE(streamed);
  CHECK(streamed->number == epoch{5});
  CHECK(streamed->target == n2);
  CHECK(streamed->how == policy::claim);
  CHECK_FALSE(streamed_record(source, epoch{5})); // the store knows it

  auto begun = part_with(run_state::running, 0);
  begun.marks.seen = epoch{6};
  const auto newer = begun_record(begun, moving(5, n1, n2));
  REQUIRE(newer);
  CHECK(newer->number == epoch{6});
  CHECK_FALSE(begun_record(begun, moving(6, n1, n2)));
  CHECK_FALSE(begun_record(begun, moving(5, n2, n1)));
  CHECK_FALSE(begun_record(begun, std::nullopt));

  auto came = part_with(run_state::running, 6);
  came.marks.run = came.marks.seen = epoch{6};
  const auto arrived = come_record(came, moving(5, n1, n2), n2);
  REQUIRE(arrived);
  CHECK(arrived->source == n2);
  CHECK(arrived->target == n1);
  CHECK_FALSE(come_record(came, moving(5, n1, n2), n1));
  CHECK_FALSE(come_record(came, moving(6, n2, n1), n2));
  came.marks.seen = epoch{7};
  CHECK_FALSE(come_record(came, moving(5, n1, n2), n2));
}
