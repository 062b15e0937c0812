// The handover machine, as the stories of single VMs and as a table over every phase and event.
#include "tests/actors/handover/handover_rig.hpp"

using namespace drover;
using namespace drover::testing;

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& w : words)
    all += (all.empty() ? "" : " ") + w;
  return all;
}

} // namespace

TEST_CASE("a ticket migration goes through its phases and reports its pause", "[handover]") {
  handover_rig rig;
  rig.give(handover::begin{});
  rig.run();
  REQUIRE(rig.ending);
  CHECK(rig.ending->end == verdict::moved);
  CHECK(rig.ending->reason.empty());
  CHECK(rig.ending->number == epoch{7});
  CHECK(
    joined(rig.phases) ==
    "beginning receiving queued streaming taking_over claiming cleaning ended");
  CHECK(rig.ending->figures.blackout_s == Approx(0.002));
  CHECK(rig.ending->figures.handover_s == Approx(0.002));
  CHECK(rig.ending->figures.pause_s == Approx(0.004));
  CHECK(rig.ending->figures.bytes == 4096);
  CHECK(rig.held.empty());
  CHECK_FALSE(rig.was_asked(step::move));
}

TEST_CASE(
  "check and nocheck let the source move the config before the target resumes", "[handover]") {
  for (auto how : {policy::check, policy::nocheck}) {
    handover_rig rig{how};
    rig.give(handover::begin{});
    rig.run();
    REQUIRE(rig.ending);
    CHECK(rig.ending->end == verdict::moved);
    const auto moved = std::find(rig.log.begin(), rig.log.end(), step::move);
    const auto resumed = std::find(rig.log.begin(), rig.log.end(), step::take_over);
    CHECK(moved < resumed);
  }
}

TEST_CASE("claim and ticket never ask the source to move the config", "[handover]") {
  for (auto how : {policy::claim, policy::ticket}) {
    handover_rig rig{how};
    rig.give(handover::begin{});
    rig.run();
    CHECK(rig.ending->end == verdict::moved);
    CHECK_FALSE(rig.was_asked(step::move));
  }
}

TEST_CASE("the target is told to resume only after both QEMUs have completed", "[handover]") {
  for (auto first : {step::source_outcome, step::target_outcome}) {
    const auto second = first == step::source_outcome ? step::target_outcome : step::source_outcome;
    handover_rig rig;
    rig.silent = {second};
    rig.give(handover::begin{});
    rig.run_until(first);
    rig.answer(first, handover_rig::good_answer(first));
    rig.run();
    CHECK_FALSE(rig.was_asked(step::take_over));
    rig.answer(second, handover_rig::good_answer(second));
    CHECK(rig.is_asked(step::take_over));
  }
}

TEST_CASE("both outcomes are asked for before the stream starts", "[handover]") {
  handover_rig rig;
  rig.give(handover::begin{});
  rig.silent = {step::stream, step::source_outcome, step::target_outcome};
  rig.run();
  REQUIRE(rig.asked.size() == 3);
  CHECK(rig.asked.back().what == step::stream);
}

TEST_CASE("a source whose stream failed runs on, and the target is made void first", "[handover]") {
  handover_rig rig;
  rig.answers[step::source_outcome] = {ended(wire::stream_end::failed, "connection reset")};
  rig.answers[step::target_outcome] = {ended(wire::stream_end::failed, "killed by signal 9")};
  rig.give(handover::begin{});
  rig.run();
  REQUIRE(rig.ending);
  CHECK(rig.ending->end == verdict::stayed);
  CHECK(rig.ending->reason.find("connection reset") != std::string::npos);
  CHECK(rig.ending->reason.find("signal 9") != std::string::npos);
  CHECK(rig.was_asked(step::void_target));
  CHECK(rig.was_asked(step::settle_source));
  CHECK_FALSE(rig.was_asked(step::continue_source));
  CHECK_FALSE(rig.was_asked(step::take_over));
  CHECK(rig.held.empty());
}

TEST_CASE(
  "a target that dies after loading is proven void before the source continues", "[handover]") {
  handover_rig rig;
  rig.answers[step::target_outcome] = {ended(wire::stream_end::failed, "gone")};
  rig.give(handover::begin{});
  rig.run();
  CHECK(rig.ending->end == verdict::stayed);
  const auto voided = std::find(rig.log.begin(), rig.log.end(), step::void_target);
  const auto continued = std::find(rig.log.begin(), rig.log.end(), step::continue_source);
  REQUIRE(continued != rig.log.end());
  CHECK(voided < continued);
}

TEST_CASE("without the target's proof a paused source is left to the operator", "[handover]") {
  handover_rig rig;
  rig.answers[step::take_over] = {bad(errc::lost)};
  rig.answers[step::void_target] = {bad(errc::timeout)};
  rig.give(handover::begin{});
  rig.run();
  CHECK(rig.ending->end == verdict::needs_operator);
  CHECK_FALSE(rig.was_asked(step::continue_source));
  CHECK(rig.ending->reason.find("does not prove") != std::string::npos);
}

TEST_CASE(
  "after too late the answer of take_over is waited for, then the way is on", "[handover]") {
  handover_rig rig;
  const std::ptrdiff_t unanswered = 21; // the question and all its repeats
  rig.answers[step::take_over].assign(unanswered, bad(errc::lost));
  rig.answers[step::take_over].push_back(handover_rig::good_answer(step::take_over));
  rig.answers[step::void_target] = {bad(errc::refused, "too late: it runs under this epoch")};
  rig.give(handover::begin{});
  rig.run();
  CHECK(rig.ending->end == verdict::moved);
  CHECK(std::count(rig.log.begin(), rig.log.end(), step::take_over) == unanswered + 1);
  CHECK_FALSE(rig.was_asked(step::continue_source));
  CHECK(rig.was_asked(step::release));
}

TEST_CASE("too late does not say that it runs: nothing is torn down on it", "[handover]") {
  for (const auto code : {errc::lost, errc::refused}) {
    handover_rig rig;
    rig.answers[step::take_over].assign(21, bad(errc::lost));
    rig.answers[step::take_over].push_back(bad(code, "no cont"));
    rig.answers[step::void_target] = {bad(errc::refused, "too late: it runs under this epoch")};
    rig.give(handover::begin{});
    rig.run();
    CHECK(rig.ending->end == verdict::needs_operator);
    CHECK(rig.ending->reason.find("does not say that it runs") != std::string::npos);
    CHECK(std::count(rig.log.begin(), rig.log.end(), step::void_target) == 1);
    for (const auto never : {step::claim, step::release, step::continue_source})
      CHECK_FALSE(rig.was_asked(never));
  }
}

TEST_CASE("an unknown outcome of take_over is asked again before anything else", "[handover]") {
  handover_rig rig;
  rig.answers[step::take_over] = {
    bad(errc::lost), bad(errc::timeout), handover_rig::good_answer(step::take_over)};
  rig.give(handover::begin{});
  rig.run();
  CHECK(rig.ending->end == verdict::moved);
  CHECK(std::count(rig.log.begin(), rig.log.end(), step::take_over) == 3);
  CHECK_FALSE(rig.was_asked(step::void_target));
}

TEST_CASE(
  "a target that refuses after the source moved the config leaves the VM to the operator",
  "[handover]") {
  handover_rig rig{policy::check};
  rig.answers[step::take_over] = {bad(errc::refused, "its config is not visible here yet")};
  rig.give(handover::begin{});
  rig.run();
  CHECK(rig.ending->end == verdict::needs_operator);
  CHECK(rig.ending->reason.find("not visible") != std::string::npos);
  CHECK_FALSE(rig.was_asked(step::continue_source));
}

TEST_CASE("the source is released only after the target runs and owns", "[handover]") {
  handover_rig rig;
  rig.give(handover::begin{});
  rig.run_until(step::claim);
  CHECK_FALSE(rig.was_asked(step::release));
  CHECK_FALSE(rig.was_asked(step::settle_target));
  rig.answer(step::claim, handover_rig::good_answer(step::claim));
  CHECK(rig.is_asked(step::release));
  CHECK(rig.is_asked(step::settle_target));
}

TEST_CASE("stream permits and the window are given back as soon as the target runs", "[handover]") {
  handover_rig rig;
  rig.give(handover::begin{});
  rig.run_until(step::take_over);
  CHECK(rig.held.contains(permit_set::stream));
  rig.answer(step::take_over, handover_rig::good_answer(step::take_over));
  CHECK_FALSE(rig.held.contains(permit_set::stream));
  CHECK(rig.held.contains(permit_set::prepare));
}

TEST_CASE("one clean-up step that fails for good does not skip the other", "[handover]") {
  for (auto failing : {step::release, step::settle_target}) {
    handover_rig rig;
    rig.answers[failing] = {bad(errc::retry)};
    rig.give(handover::begin{});
    rig.run();
    CHECK(rig.ending->end == verdict::needs_operator);
    CHECK(rig.ending->reason.find("left over") != std::string::npos);
    CHECK(rig.was_asked(step::release));
    CHECK(rig.was_asked(step::settle_target));
  }
}

TEST_CASE("a refused begin touches nothing", "[handover]") {
  handover_rig rig;
  rig.answers[step::begin] = {bad(errc::refused, "locked: backup")};
  rig.give(handover::begin{});
  rig.run();
  CHECK(rig.ending->end == verdict::stayed);
  CHECK(rig.ending->reason.find("locked: backup") != std::string::npos);
  CHECK(rig.log == std::vector<step>{step::begin});
  CHECK(rig.held.empty());
}

TEST_CASE(
  "a passing failure to receive is tried again with a new epoch, a lasting one is not",
  "[handover]") {
  handover_rig passing;
  passing.answers[step::receive] = {bad(errc::timeout), handover_rig::good_answer(step::receive)};
  passing.give(handover::begin{});
  passing.run();
  CHECK(passing.ending->end == verdict::moved);
  CHECK(std::count(passing.log.begin(), passing.log.end(), step::begin) == 2);

  handover_rig lasting;
  lasting.answers[step::receive] = {bad(errc::refused, "cpus 1 here, 2 at the source")};
  lasting.give(handover::begin{});
  lasting.run();
  CHECK(lasting.ending->end == verdict::stayed);
  CHECK(std::count(lasting.log.begin(), lasting.log.end(), step::begin) == 1);

  handover_rig hopeless;
  hopeless.answers[step::receive] = {bad(errc::timeout)};
  hopeless.give(handover::begin{});
  hopeless.run();
  CHECK(hopeless.ending->end == verdict::stayed);
  CHECK(std::count(hopeless.log.begin(), hopeless.log.end(), step::begin) == 3);
}

TEST_CASE("a copy that outlasts its time is cancelled and named", "[handover]") {
  handover_rig rig;
  rig.answers[step::source_outcome] = {
    bad(errc::timeout), ended(wire::stream_end::cancelled, "cancelled")};
  rig.silent = {step::target_outcome};
  rig.give(handover::begin{});
  rig.run();
  CHECK(rig.ending->end == verdict::stayed);
  CHECK(rig.was_asked(step::cancel));
  CHECK(rig.ending->reason.find("did not converge") != std::string::npos);
}

TEST_CASE(
  "a cancel ends in stayed before the switchover and changes nothing after it", "[handover]") {
  const std::vector<step> before{step::begin, step::receive};
  for (auto at : before) {
    handover_rig rig;
    rig.give(handover::begin{});
    rig.run_until(at);
    rig.give(handover::cancel_asked{"Ctrl-C"});
    rig.silent.clear();
    rig.run();
    REQUIRE(rig.ending);
    CHECK(rig.ending->end == verdict::stayed);
    CHECK(rig.ending->reason == "Ctrl-C");
    CHECK(rig.was_asked(step::settle_source));
    CHECK_FALSE(rig.was_asked(step::stream));
  }
  for (auto at : {step::take_over, step::claim, step::release}) {
    handover_rig rig;
    rig.give(handover::begin{});
    rig.run_until(at);
    rig.give(handover::cancel_asked{"Ctrl-C"});
    CHECK_FALSE(rig.was_asked(step::cancel));
    rig.silent.clear();
    rig.run();
    CHECK(rig.ending->end == verdict::moved);
  }
}

TEST_CASE("a cancel while streaming follows what the source's QEMU says", "[handover]") {
  for (bool in_time : {true, false}) {
    handover_rig rig;
    rig.give(handover::begin{});
    rig.silent = {step::source_outcome, step::target_outcome};
    rig.run();
    rig.give(handover::cancel_asked{"Ctrl-C"});
    REQUIRE(rig.is_asked(step::cancel));
    if (in_time) {
      rig.answer(step::source_outcome, ended(wire::stream_end::cancelled, "cancelled"));
    } else {
      rig.answers[step::cancel] = {bad(errc::refused, "past its switchover")};
    }
    rig.silent.clear();
    rig.run();
    REQUIRE(rig.ending);
    CHECK(rig.ending->end == (in_time ? verdict::stayed : verdict::moved));
  }
}

TEST_CASE("a stream that cannot be started is tried again with a new epoch", "[handover]") {
  handover_rig rig;
  rig.answers[step::stream] = {
    bad(errc::retry, "cannot connect"), handover_rig::good_answer(step::stream)};
  rig.silent = {step::source_outcome, step::target_outcome};
  rig.give(handover::begin{});
  rig.run();
  CHECK(std::count(rig.log.begin(), rig.log.end(), step::begin) == 2);
  CHECK(std::count(rig.log.begin(), rig.log.end(), step::void_target) == 1);
  // Each attempt has asked for its own outcomes; what comes of the first one's counts no more.
  REQUIRE(rig.asked.size() == 4);
  const auto first = ended(wire::stream_end::failed, "of the first attempt");
  rig.give(handover::answered{step::source_outcome, first, 0});
  CHECK_FALSE(rig.is_asked(step::void_target));
  rig.silent.clear();
  rig.run();
  REQUIRE(rig.ending);
  CHECK(rig.ending->end == verdict::moved);
}

TEST_CASE("a source that says that nothing streams ends the wait for its stream", "[handover]") {
  handover_rig rig;
  rig.answers[step::stream] = {bad(errc::lost)};
  rig.answers[step::cancel] = {bad(errc::conflict, "no stream under this epoch")};
  rig.silent = {step::source_outcome, step::target_outcome};
  rig.give(handover::begin{});
  rig.run();
  REQUIRE(rig.ending);
  CHECK(rig.ending->end == verdict::stayed);
  CHECK(rig.ending->reason.find("nothing was streamed") != std::string::npos);
  CHECK(rig.was_asked(step::settle_source));
}

TEST_CASE("a cancel while waiting for permits gives up the wait", "[handover]") {
  handover_rig rig;
  rig.give(handover::begin{});
  rig.give(handover::cancel_asked{"Ctrl-C"});
  CHECK(rig.ending->end == verdict::stayed);
  CHECK(rig.wanted.empty());
  CHECK(rig.asked.empty());
}

TEST_CASE("the downtime limit climbs to the budget and never past it", "[handover]") {
  handover_rig rig;
  wire::begun with_budget{make_ticket(105, 7, "n1", "n2"), "", {}, false, 100, 0};
  rig.answers[step::begin] = {with_budget};
  rig.give(handover::begin{});
  rig.silent = {step::source_outcome, step::target_outcome};
  rig.run();
  std::vector<std::uint32_t> limits;
  for (std::uint32_t pass = 1; pass < 40; ++pass) {
    rig.give(handover::progressed{{vm_id{105}, epoch{7}, 1, 1, 1, pass, 900}});
    for (const auto& a : rig.asked)
      if (const auto* limit = std::get_if<wire::set_downtime_limit>(&a.body))
        limits.push_back(limit->downtime_limit_ms);
    rig.run();
  }
  CHECK(limits == std::vector<std::uint32_t>{60, 100});
}

TEST_CASE("bytes that are reported after the stream's end count", "[handover]") {
  handover_rig rig;
  rig.give(handover::begin{});
  rig.run_until(step::release);
  rig.give(handover::progressed{{vm_id{105}, epoch{6}, 999'999, 0, 1, 2, 0}});
  rig.give(handover::progressed{{vm_id{105}, epoch{7}, 777'777, 0, 1, 2, 0}});
  rig.silent.clear();
  rig.run();
  CHECK(rig.ending->figures.bytes == 777'777);
}

TEST_CASE(
  "every phase decides every event without a second result or a lost permit", "[handover]") {
  const std::vector<step> steps{step::begin,          step::receive,        step::stream,
                                step::source_outcome, step::target_outcome, step::cancel,
                                step::limit,          step::move,           step::see,
                                step::take_over,      step::claim,          step::release,
                                step::settle_target,  step::void_target,    step::continue_source,
                                step::settle_source};
  std::vector<std::pair<std::string, handover::event>> events{
    {"begin", handover::begin{}},
    {"prepare granted", handover::permits_granted{permit_set::prepare, 0}},
    {"stream granted", handover::permits_granted{permit_set::stream, 0}},
    {"progress", handover::progressed{{vm_id{105}, epoch{7}, 1, 1, 1, 9, 1}}},
    {"cancel", handover::cancel_asked{"test"}},
    {"late timer", handover::timer_fired{9999}}};
  for (auto s : steps) {
    events.emplace_back("good answer", handover::answered{s, handover_rig::good_answer(s)});
    for (auto code : {errc::retry, errc::refused, errc::lost, errc::timeout, errc::conflict})
      events.emplace_back("bad answer", handover::answered{s, bad(code)});
  }
  for (auto how : all_policies)
    for (auto stop : steps)
      for (const auto& [name, event] : events) {
        handover_rig rig{how};
        if (stop == step::void_target || stop == step::settle_source)
          rig.answers[step::source_outcome] = {ended(wire::stream_end::failed)};
        if (stop == step::continue_source)
          rig.answers[step::target_outcome] = {ended(wire::stream_end::failed)};
        rig.give(handover::begin{});
        rig.silent.insert(stop);
        for (int i = 0; i < 200 && !rig.ending && !rig.is_asked(stop) && rig.serve_one(); ++i) {
        }
        rig.give(event);
        rig.silent.clear();
        rig.run();
        INFO(name << " while " << static_cast<int>(stop) << " is asked under " << to_string(how));
        REQUIRE(rig.ending);
        CHECK(rig.held.empty());
        CHECK(rig.machine.at() == phase::ended);
        if (rig.ending->end == verdict::moved)
          CHECK(rig.was_asked(step::release));
        if (rig.ending->end != verdict::moved)
          CHECK_FALSE(rig.ending->reason.empty());
      }
}

TEST_CASE("after its end a migration gives late permits back and says nothing else", "[handover]") {
  handover_rig rig;
  rig.give(handover::begin{});
  rig.give(handover::cancel_asked{"test"});
  REQUIRE(rig.ending);
  const auto commands =
    rig.machine.handle(handover::permits_granted{permit_set::prepare, 0}, rig.now);
  REQUIRE(commands.size() == 1);
  CHECK(std::holds_alternative<handover::give_back>(commands.front()));
  CHECK(rig.machine.handle(handover::cancel_asked{"again"}, rig.now).empty());
}

TEST_CASE(
  "a source that was alone before its release may have opened the record again", "[handover]") {
  const std::uint32_t link = GENERATE(1U, 2U);
  handover_rig rig;
  rig.give(handover::begin{});
  rig.run_until(step::source_outcome);
  rig.answer(step::source_outcome, handover_rig::good_answer(step::source_outcome), 1);
  rig.run_until(step::release);
  rig.run();
  CHECK(std::count(rig.log.begin(), rig.log.end(), step::settle_target) == 1);
  rig.answer(step::release, wire::accepted{}, link);
  rig.run();
  REQUIRE(rig.ending);
  CHECK(rig.ending->end == verdict::moved);
  CHECK(std::count(rig.log.begin(), rig.log.end(), step::settle_target) == link);
}

TEST_CASE(
  "a store that comes back after a minute still gets the end of every handover", "[handover]") {
  const result<wire::reply_body> no_quorum = bad(errc::retry, "no quorum");
  for (const auto what : {step::release, step::settle_target}) {
    handover_rig rig;
    rig.answers[what] = std::vector<result<wire::reply_body>>(20, no_quorum);
    rig.answers[what].push_back(wire::accepted{});
    rig.give(handover::begin{});
    rig.run();
    REQUIRE(rig.ending);
    CHECK(rig.ending->end == verdict::moved);
  }
  handover_rig rig;
  rig.answers[step::source_outcome] = {
    wire::outcome{wire::stream_end::cancelled, "the store takes no writes", {}, {}, 0}};
  rig.answers[step::settle_source] = std::vector<result<wire::reply_body>>(20, no_quorum);
  rig.answers[step::settle_source].push_back(wire::accepted{});
  rig.give(handover::begin{});
  rig.run();
  REQUIRE(rig.ending);
  CHECK(rig.ending->end == verdict::stayed);
  CHECK(rig.ending->reason == "the stream failed: the store takes no writes");
}
