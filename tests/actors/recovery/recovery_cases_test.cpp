// From what nodes tell to a case, and from a case to requests.
#include "actors/recovery/recovery_cases.hpp"
#include "actors/recovery/recovery_rounds.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace drover;
using wire::handover_part;
using wire::run_state;

namespace {

const vm_id vm{105};
const node_id n1{"n1"};
const node_id n2{"n2"};
const node_id n3{"n3"};

handover_record record_of(std::uint64_t number) {
  return {vm, epoch{number}, record_state::moving, n1, n2, policy::ticket, "c:1"};
}

wire::record_view view_of(const handover_record& r) {
  return {r.number, r.state, r.source, r.target, r.how, r.controller, r.outcome, r.target_boot_id};
}

/// A part of an open handover of epoch 5 from n1 to n2, whose config is on n1.
handover_part part(run_state state, std::uint64_t number) {
  handover_part p;
  p.vm = vm;
  p.owner = n1;
  p.record = view_of(record_of(5));
  p.evidence = ticket_issuer::issue(record_of(5));
  p.state = state;
  p.number = epoch{number};
  return p;
}

/// S is complete, T has loaded everything: one command is missing.
node_inspections half_way() {
  auto source = part(run_state::postmigrate, 5);
  source.lock = "migrate";
  source.name = "web";
  auto target = part(run_state::incoming, 5);
  target.loaded = true;
  target.barrier = epoch{5};
  target.seen = epoch{5};
  node_inspections seen;
  seen.parts[n1].parts.push_back(source);
  seen.parts[n2].parts.push_back(target);
  seen.parts[n3];
  return seen;
}

recovery_case only(const node_inspections& seen, const operator_words& words = {}) {
  const auto cases = recovery_cases(seen, words);
  REQUIRE(cases.size() == 1);
  return cases.front();
}

template <class Request>
bool asks(const recovery_steps& steps, const node_id& whom) {
  const auto next = steps.next();
  return next && next->first == whom && std::holds_alternative<Request>(next->second);
}

} // namespace

TEST_CASE("what two nodes tell becomes one case", "[recovery]") {
  const auto one = only(half_way());
  CHECK(one.vm == vm);
  CHECK(one.name == "web");
  CHECK(one.source == n1);
  CHECK(one.target == n2);
  situation expected;
  expected.record = record_word::open;
  expected.source = copy_state::complete;
  expected.target = copy_state::loaded;
  expected.mark = target_mark::prepared;
  expected.lock = config_lock::migrate;
  CHECK(one.seen == expected);
  CHECK(one.row->name == "waits for take-over");
}

TEST_CASE("the requests of a decision come one after the other", "[recovery]") {
  recovery_steps steps{only(half_way())};
  CHECK(asks<wire::take_over>(steps, n2));
  steps.answered(wire::reply_body{wire::taken_over{}});
  CHECK(asks<wire::await_claim>(steps, n2));
  steps.answered(wire::reply_body{wire::claimed{}});
  CHECK(asks<wire::settle>(steps, n2));
  steps.answered(wire::reply_body{wire::accepted{}});
  CHECK_FALSE(steps.next().has_value());
  CHECK(steps.done_steps().size() == 3);
  CHECK(steps.refused().empty());
}

TEST_CASE("a refusal ends a decision", "[recovery]") {
  recovery_steps steps{only(half_way())};
  steps.answered(fail(errc::refused, "not now"));
  CHECK_FALSE(steps.next().has_value());
  CHECK(steps.refused().find("take_over on n2: ") == 0);
}

TEST_CASE("a proof is carried from the target to the source", "[recovery]") {
  auto seen = half_way();
  seen.parts[n2].parts[0].voided = epoch{5};
  recovery_steps steps{only(seen)};
  REQUIRE(asks<wire::void_handover>(steps, n2));
  steps.answered(wire::reply_body{wire::voided{epoch{5}, "b", epoch{4}}});
  REQUIRE(asks<wire::continue_source>(steps, n1));
  const auto go_on = std::get<wire::continue_source>(steps.next()->second);
  CHECK(go_on.proof.boot_id == "b");
  CHECK_FALSE(go_on.assurance);
}

TEST_CASE("a word stands for the proof of a node that is dead", "[recovery]") {
  auto seen = half_way();
  seen.parts.erase(n2);
  seen.silent[n2] = "no link";
  CHECK(only(seen).row->name == "target silent");
  operator_words words;
  words.never_ran = {vm};
  CHECK(only(seen, words).row->name == "target silent");
  words.fenced = {n2};
  recovery_steps steps{only(seen, words)};
  REQUIRE(asks<wire::continue_source>(steps, n1));
  const auto go_on = std::get<wire::continue_source>(steps.next()->second);
  CHECK(go_on.assurance.value_or("").find("the operator") == 0);
}

TEST_CASE("what is on its way is waited for", "[recovery]") {
  auto finishing = half_way();
  finishing.parts[n1].parts[0].finishing = "c:1";
  CHECK(only(finishing).row->verdict == recovery_verdict::wait);
  auto differing = half_way();
  differing.parts[n2].parts[0].owner = n2;
  CHECK(only(differing).row->verdict == recovery_verdict::wait);
  auto newer = half_way();
  newer.parts[n1].parts[0].seen = epoch{6};
  CHECK(only(newer).row->verdict == recovery_verdict::wait);
}

TEST_CASE("copies beyond the two nodes count", "[recovery]") {
  auto seen = half_way();
  auto third = part(run_state::running, 0);
  seen.parts[n3].parts.push_back(third);
  CHECK(only(seen).row->name == "runs on a third node");
  seen.parts[n1].parts[0].state = run_state::running;
  CHECK(only(seen).row->name == "two copies run");
}

TEST_CASE("a node that is said to be fenced and answers is an objection", "[recovery]") {
  operator_words words;
  words.fenced = {n2};
  CHECK(objection_to(words, half_way()));
  words.fenced.clear();
  words.ran = words.never_ran = {vm};
  CHECK(objection_to(words, half_way()));
  words.ran.clear();
  CHECK_FALSE(objection_to(words, half_way()));
  recovery_rounds rounds{{{n2}, {}, {}}, recovery_mode::act, mono_time{}};
  CHECK(rounds.looked(half_way(), mono_time{}).over);
  CHECK(exit_code(rounds.report()) == 1);
}

TEST_CASE("marks of VMs that are no more are stray only when every node is heard", "[recovery]") {
  node_inspections seen;
  handover_part left;
  left.vm = vm;
  left.run = epoch{3};
  seen.parts[n1].parts.push_back(left);
  seen.parts[n2];
  CHECK(stray_marks(seen, {}).size() == 1);
  seen.silent[n3] = "no link";
  CHECK(stray_marks(seen, {}).empty());
  operator_words words;
  words.fenced = {n3};
  CHECK(stray_marks(seen, words).size() == 1);
  seen.parts[n2].parts.push_back(left);
  seen.parts[n2].parts[0].owner = n2;
  CHECK(stray_marks(seen, words).empty());
}

TEST_CASE("marks that a recovery removes are told, and so are those that stay", "[recovery]") {
  node_inspections seen;
  handover_part marked;
  marked.vm = vm;
  marked.run = epoch{3};
  seen.parts[n1].parts.push_back(marked);
  const auto left_after = [&seen](const node_inspections& later) {
    recovery_rounds rounds{{}, recovery_mode::act, mono_time{}};
    const auto first = rounds.looked(seen, mono_time{});
    REQUIRE(first.chores.size() == 1);
    REQUIRE(rounds.looked(later, mono_time{} + first.pause).over);
    CHECK(rounds.report().stray.size() == 1);
    CHECK(exit_code(rounds.report()) == (rounds.report().stray_left.empty() ? 0 : 5));
    return rounds.report().stray_left.size();
  };
  node_inspections gone;
  gone.parts[n1];
  CHECK(left_after(gone) == 0);
  CHECK(left_after(seen) == 1);
}

TEST_CASE("a VM that should run and does not is told", "[recovery]") {
  node_inspections seen;
  handover_part idle;
  idle.vm = vm;
  idle.owner = n1;
  idle.onboot = true;
  seen.parts[n1].parts.push_back(idle);
  CHECK(idle_vms(seen).size() == 1);
  CHECK(only(seen).row->verdict == recovery_verdict::nothing);
  seen.parts[n1].parts[0].state = run_state::running;
  CHECK(idle_vms(seen).empty());
}

TEST_CASE("a VM that stays unfinished is given up in the end", "[recovery]") {
  recovery_rounds rounds{{}, recovery_mode::act, mono_time{}};
  const auto seen = half_way();
  int acted = 0;
  auto now = mono_time{};
  for (int i = 0; i < 100; ++i) {
    auto next = rounds.looked(seen, now);
    if (next.over)
      break;
    acted += static_cast<int>(next.steps.size());
    for (auto& steps : next.steps)
      steps.answered(fail(errc::retry, "busy"));
    rounds.carried_out(next.steps);
    CHECK(next.pause.count() > 0);
    now += next.pause;
  }
  CHECK(acted > 1);
  CHECK(acted < 20);
  CHECK(exit_code(rounds.report()) == 5);
}

TEST_CASE("a dry run asks for nothing", "[recovery]") {
  recovery_rounds rounds{{}, recovery_mode::dry_run, mono_time{}};
  const auto next = rounds.looked(half_way(), mono_time{});
  CHECK(next.over);
  CHECK(next.steps.empty());
  CHECK(exit_code(rounds.report()) == 2);
}

TEST_CASE("a QEMU whose config is nowhere is told with what is missing", "[recovery]") {
  node_inspections seen;
  handover_part lost;
  lost.vm = vm;
  lost.state = run_state::running;
  seen.parts[n1].parts.push_back(lost);
  seen.parts[n2];
  const auto one = only(seen);
  CHECK(one.row->name == "no config");
  CHECK(one.command().find("put 105.conf into the directory") == 0);
}

TEST_CASE("a QEMU that is about to end is no second copy for the operator", "[recovery]") {
  node_inspections seen;
  handover_part runs;
  runs.vm = vm;
  runs.owner = n1;
  runs.state = run_state::running;
  seen.parts[n1].parts.push_back(runs);
  seen.parts[n3].parts.push_back(runs);
  seen.parts[n3].parts[0].state = run_state::other;
  recovery_rounds rounds{{}, recovery_mode::act, mono_time{}};
  auto now = mono_time{};
  REQUIRE_FALSE(rounds.looked(seen, now).over);
  SECTION("it ends") {
    seen.parts[n3].parts[0].state = run_state::absent;
    CHECK(rounds.looked(seen, now + std::chrono::seconds{1}).over);
    CHECK(exit_code(rounds.report()) == 0);
  }
  SECTION("it stays") {
    while (!rounds.looked(seen, now).over)
      now += std::chrono::seconds{1};
    CHECK(now < mono_time{} + std::chrono::seconds{10});
    CHECK(rounds.report().last.at(0).row->name == "two copies run");
    CHECK(exit_code(rounds.report()) == 6);
  }
}

TEST_CASE("what streams have left is told once, whichever round has seen it", "[recovery]") {
  recovery_rounds rounds{{}, recovery_mode::act, mono_time{}};
  node_inspections seen;
  seen.parts[n1].litter = {"105.tls"};
  seen.parts[n2];
  REQUIRE(rounds.looked(seen, mono_time{}).over);
  seen.parts[n1].litter.clear();
  rounds.looked(seen, mono_time{} + std::chrono::seconds{1});
  CHECK(rounds.report().litter.at(n1) == std::set<std::string>{"105.tls"});
  CHECK(exit_code(rounds.report()) == 0);
}
