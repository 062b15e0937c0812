// The guard over every operation, authority and combination of facts: the design's rules in plain
// words. The readable rows stand first, the exhaustive walk after them.
#include "runtime/agent/ownership_guard.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

using namespace drover;
using wire::run_state;

namespace {

const vm_id vm{105};
const node_id source{"n1"};
const node_id target{"n2"};
const node_id stranger{"n3"};

ticket make_ticket(std::uint64_t number, policy how = policy::ticket) {
  handover_record r;
  r.vm = vm;
  r.number = epoch{number};
  r.state = record_state::moving;
  r.source = source;
  r.target = target;
  r.how = how;
  return ticket_issuer::issue(r);
}

handover_record make_record(std::uint64_t number, record_state state = record_state::moving) {
  handover_record r;
  r.vm = vm;
  r.number = epoch{number};
  r.state = state;
  r.source = source;
  r.target = target;
  return r;
}

/// The target when everything is loaded at epoch 5 and nothing has gone wrong.
guard_facts loaded_target() {
  guard_facts f;
  f.here = target;
  f.marks.seen = epoch{5};
  f.marks.barrier = epoch{5};
  f.machine = run_state::incoming;
  f.machine_number = epoch{5};
  f.stream = stream_phase::completed;
  return f;
}

/// The source when its stream at epoch 5 has completed.
guard_facts ended_source() {
  guard_facts f;
  f.here = source;
  f.marks.seen = epoch{5};
  f.marks.streamed = epoch{5};
  f.marks.target_boot_id = "b";
  f.machine = run_state::postmigrate;
  f.machine_number = epoch{5};
  f.stream = stream_phase::completed;
  return f;
}

guard_facts with(guard_facts f, const std::function<void(guard_facts&)>& change) {
  change(f);
  return f;
}

} // namespace

TEST_CASE("the guard's table, row by row", "[guard]") {
  struct line {
    const char* why;
    operation what;
    authority by;
    guard_facts facts;
    bool allowed;
  };
  const auto view_of = [](const node_id& owner) {
    return [owner](guard_facts& f) { f.view = vm_view{owner, make_record(5)}; };
  };
  const std::vector<line> lines{
    {"the owner starts its VM", operation::start, owned{}, with(ended_source(), view_of(source)),
     true},
    {"a foreign VM is not started", operation::start, owned{},
     with(ended_source(), view_of(target)), false},
    {"a ticket starts nothing", operation::start, make_ticket(5),
     with(ended_source(), view_of(source)), false},
    {"resume without a ticket", operation::resume, owned{}, loaded_target(), false},
    {"the target resumes on its ticket, without a look into the store", operation::resume,
     make_ticket(5), loaded_target(), true},
    {"no barrier, no resume", operation::resume, make_ticket(5),
     with(loaded_target(), [](auto& f) { f.marks.barrier = epoch{4}; }), false},
    {"check fails while the view lags", operation::resume, make_ticket(5, policy::check),
     with(loaded_target(), view_of(source)), false},
    {"check passes once the view shows the move", operation::resume, make_ticket(5, policy::check),
     with(loaded_target(), view_of(target)), true},
    {"nocheck does not look", operation::resume, make_ticket(5, policy::nocheck),
     with(loaded_target(), [](auto& f) { f.marks.barrier = epoch{}; }), true},
    {"claim needs the own move", operation::resume, make_ticket(5, policy::claim), loaded_target(),
     false},
    {"claim passes after the own move", operation::resume, make_ticket(5, policy::claim),
     with(loaded_target(), [](auto& f) { f.claimed = true; }), true},
    {"lock looks as check does", operation::resume, make_ticket(5, policy::lock),
     with(loaded_target(), view_of(source)), false},
    {"lock passes on what it saw under the lock", operation::resume, make_ticket(5, policy::lock),
     with(loaded_target(), view_of(target)), true},
    {"early needs the view of before the switchover, not the one of now", operation::resume,
     make_ticket(5, policy::early), with(loaded_target(), view_of(target)), false},
    {"early does not look again", operation::resume, make_ticket(5, policy::early),
     with(loaded_target(), [](auto& f) { f.marks.owned = epoch{5}; }), true},
    {"early moves before the stream", operation::move, make_ticket(5, policy::early),
     with(guard_facts{}, [](auto& f) { f.here = source, f.machine = run_state::running; }), true},
    {"early does not move beside a stream", operation::move, make_ticket(5, policy::early),
     with(
       ended_source(),
       [](auto& f) { f.machine = run_state::running, f.stream = stream_phase::running; }),
     false},
    {"early does not move after a stream", operation::move, make_ticket(5, policy::early),
     ended_source(), false},
    {"nothing is moved of an epoch that the source has settled", operation::move,
     make_ticket(5, policy::early),
     with(
       guard_facts{},
       [](auto& f) { f.here = source, f.machine = run_state::running, f.marks.voided = epoch{5}; }),
     false},
    {"lock moves after the switchover", operation::move, make_ticket(5, policy::lock),
     ended_source(), true},
    {"lock does not move before it", operation::move, make_ticket(5, policy::lock),
     with(guard_facts{}, [](auto& f) { f.here = source, f.machine = run_state::running; }), false},
    {"ticket never lets the source move", operation::move, make_ticket(5), ended_source(), false},
    {"early streams what the target owns already", operation::stream, make_ticket(5, policy::early),
     with(
       guard_facts{},
       [](auto& f) {
         f.here = source, f.view = vm_view{target, make_record(5)};
       }),
     true},
    {"a source that runs takes its config back", operation::revert, make_ticket(5, policy::early),
     with(guard_facts{}, [](auto& f) { f.here = source, f.machine = run_state::running; }), true},
    {"a source in postmigrate does not", operation::revert, make_ticket(5, policy::early),
     ended_source(), false},
    {"a target never takes it back", operation::revert, make_ticket(5, policy::early),
     loaded_target(), false},
    {"resume after void", operation::resume, make_ticket(5),
     with(loaded_target(), [](auto& f) { f.marks.voided = epoch{5}; }), false},
    {"void before resume", operation::void_epoch, make_ticket(5), loaded_target(), true},
    {"void after resume is too late", operation::void_epoch, make_ticket(5),
     with(loaded_target(), [](auto& f) { f.marks.run = epoch{5}; }), false},
    {"void of an epoch that never came here", operation::void_epoch, make_ticket(5),
     with(guard_facts{}, [](auto& f) { f.here = target; }), true},
    {"the source quits when the target owns", operation::release, make_ticket(5),
     with(ended_source(), view_of(target)), true},
    {"the source does not quit while it owns", operation::release, make_ticket(5),
     with(ended_source(), view_of(source)), false},
    {"a late quit does not hit the VM that has come back", operation::release, make_ticket(5),
     with(
       ended_source(),
       [](auto& f) {
         f.view = vm_view{target, make_record(5)};
         f.machine = run_state::running;
         f.machine_number = epoch{6};
         f.marks.seen = epoch{6};
       }),
     false},
    {"the source continues on the target's proof", operation::continue_source, make_ticket(5),
     with(
       ended_source(),
       [](auto& f) {
         f.proof = wire::voided{epoch{5}, "b", epoch{4}};
       }),
     true},
    {"a proof of another boot of the target proves nothing", operation::continue_source,
     make_ticket(5),
     with(
       ended_source(),
       [](auto& f) {
         f.proof = wire::voided{epoch{5}, "c", epoch{4}};
       }),
     false},
    {"a proof of a boot that another epoch was streamed to proves nothing",
     operation::continue_source, make_ticket(5),
     with(
       ended_source(),
       [](auto& f) {
         f.marks.streamed = epoch{4}, f.proof = wire::voided{epoch{5}, "b", epoch{4}};
       }),
     false},
    {"no proof, no continue", operation::continue_source, make_ticket(5), ended_source(), false},
    {"a proof of an older epoch proves nothing", operation::continue_source, make_ticket(5),
     with(
       ended_source(),
       [](auto& f) {
         f.proof = wire::voided{epoch{4}, "b", epoch{3}};
       }),
     false},
    {"a target that ran is no proof", operation::continue_source, make_ticket(5),
     with(
       ended_source(),
       [](auto& f) {
         f.proof = wire::voided{epoch{5}, "b", epoch{5}};
       }),
     false},
    {"the target may not act as source", operation::stream, make_ticket(5),
     with(loaded_target(), view_of(target)), false},
    {"a source in postmigrate is not settled as if it ran", operation::settle, make_ticket(5),
     with(ended_source(), view_of(source)), false},
    {"the target settles what it owns and runs", operation::settle, make_ticket(5),
     with(
       loaded_target(),
       [](auto& f) {
         f.marks.run = epoch{5}, f.view = vm_view{target, make_record(5)};
         f.machine = run_state::running;
       }),
     true},
    {"a run mark without a QEMU that runs settles nothing", operation::settle, make_ticket(5),
     with(
       loaded_target(),
       [](auto& f) {
         f.marks.run = epoch{5}, f.view = vm_view{target, make_record(5)};
       }),
     false},
    {"the target does not settle what it has not run", operation::settle, make_ticket(5),
     with(loaded_target(), view_of(target)), false},
    {"somebody's assurance stands for the proof", operation::continue_source, make_ticket(5),
     with(ended_source(), [](auto& f) { f.assurance = "the operator"; }), true},
    {"an assurance of an older epoch is worth nothing", operation::continue_source, make_ticket(5),
     with(ended_source(), [](auto& f) { f.assurance = "the operator", f.marks.seen = epoch{6}; }),
     false},
    {"a source that waits in vain is discarded", operation::discard, make_ticket(5), ended_source(),
     true},
    {"a source that runs is not discarded", operation::discard, make_ticket(5),
     with(ended_source(), [](auto& f) { f.machine = run_state::running; }), false},
    {"a target that waits in vain is discarded", operation::discard, make_ticket(5),
     loaded_target(), true},
    {"a target that was let run is not discarded", operation::discard, make_ticket(5),
     with(loaded_target(), [](auto& f) { f.marks.run = epoch{5}; }), false},
    {"a target that runs is not discarded", operation::discard, make_ticket(5),
     with(loaded_target(), [](auto& f) { f.machine = run_state::running; }), false},
    {"the owner closes what is gone", operation::close, make_ticket(5),
     with(
       guard_facts{},
       [](auto& f) {
         f.here = target, f.view = vm_view{target, make_record(5)};
       }),
     true},
    {"nobody closes what another owns", operation::close, make_ticket(5),
     with(
       guard_facts{},
       [](auto& f) {
         f.here = target, f.view = vm_view{source, make_record(5)};
       }),
     false},
    {"nobody closes what still has a QEMU", operation::close, make_ticket(5),
     with(loaded_target(), view_of(target)), false},
    {"receive with no config visible yet", operation::receive, make_ticket(5),
     with(
       guard_facts{},
       [](auto& f) {
         f.here = target;
         f.view = vm_view{};
       }),
     true},
    {"receive of a VM that a third node owns", operation::receive, make_ticket(5),
     with(
       guard_facts{},
       [&](auto& f) {
         f.here = target;
         f.view = vm_view{stranger, std::nullopt};
       }),
     false},
  };
  for (const auto& l : lines) {
    INFO(l.why);
    const auto verdict = judge(l.what, l.by, l.facts);
    INFO((verdict ? std::string{"allowed"} : verdict.error().what));
    CHECK(verdict.has_value() == l.allowed);
  }
}

TEST_CASE("the original race is refused in words that name it", "[guard]") {
  auto facts = loaded_target();
  facts.view = vm_view{source, make_record(5)};
  const auto verdict = judge(operation::resume, make_ticket(5, policy::check), facts);
  REQUIRE(!verdict);
  CHECK(verdict.error().what.find("config not visible here yet") == 0);
  CHECK(verdict.error().code == errc::conflict);
}

namespace {

/// Walks all combinations and calls `visit` with each; epoch 5 is the ticket's.
void walk(const std::function<void(operation, const authority&, const guard_facts&)>& visit) {
  const std::vector<epoch> epochs{epoch{}, epoch{5}, epoch{6}};
  std::vector<authority> authorities{owned{}};
  for (const auto how : all_policies)
    authorities.emplace_back(make_ticket(5, how));
  std::vector<std::optional<vm_view>> views{std::nullopt};
  for (const auto& owner :
       {std::optional<node_id>{}, std::optional{source}, std::optional{target},
        std::optional{stranger}})
    for (const auto& record :
         {std::optional<handover_record>{}, std::optional{make_record(4, record_state::settled)},
          std::optional{make_record(5)}, std::optional{make_record(5, record_state::settled)},
          std::optional{make_record(6)}})
      views.push_back(vm_view{owner, record});
  struct machine {
    run_state state;
    epoch number;
    stream_phase stream;
  };
  const std::vector<machine> machines{
    {run_state::absent, {}, stream_phase::none},
    {run_state::running, epoch{}, stream_phase::none},
    {run_state::running, epoch{5}, stream_phase::running},
    {run_state::running, epoch{5}, stream_phase::ended},
    {run_state::running, epoch{5}, stream_phase::completed},
    {run_state::incoming, epoch{5}, stream_phase::running},
    {run_state::incoming, epoch{5}, stream_phase::completed},
    {run_state::incoming, epoch{4}, stream_phase::none},
    {run_state::postmigrate, epoch{5}, stream_phase::completed},
    {run_state::postmigrate, epoch{6}, stream_phase::none}};
  const std::vector<std::optional<wire::voided>> proofs{
    std::nullopt, wire::voided{epoch{5}, "b", epoch{4}}, wire::voided{epoch{5}, "c", epoch{4}},
    wire::voided{epoch{5}, "b", epoch{5}}};
  guard_facts f;
  for (const auto& here : {source, target, stranger})
    for (const auto& view : views)
      for (const auto run : epochs)
        for (const auto voided : epochs)
          for (const auto seen : epochs)
            for (const auto barrier : {epoch{4}, epoch{5}})
              for (const auto& m : machines) {
                f.here = here;
                f.view = view;
                f.marks = {run, voided, seen, barrier, epoch{}, barrier, barrier, target, "b"};
                f.machine = m.state;
                f.machine_number = m.number;
                f.stream = m.stream;
                for (const bool claimed : {false, true})
                  for (const auto what : all_operations)
                    for (const auto& by : authorities) {
                      f.claimed = claimed;
                      f.proof.reset();
                      visit(what, by, f);
                      if (what != operation::continue_source)
                        continue;
                      for (const auto& proof : proofs) {
                        f.proof = proof;
                        visit(what, by, f);
                      }
                    }
              }
}

bool changes_run_state(operation o) {
  return o == operation::resume || o == operation::void_epoch || o == operation::release ||
         o == operation::continue_source || o == operation::start || o == operation::stop;
}

/// One thing that the guard allowed; `broken` counts by rule where it should not have.
struct permission {
  operation what;
  const guard_facts& f;
  bool by_ticket;
  policy how;
  std::map<std::string, std::size_t>& broken;

  bool is(operation o) const { return what == o; }
  bool owner() const { return f.view && f.view->owner == f.here; }
  void rule(bool kept, const char* text) const {
    if (!kept)
      ++broken[text];
  }
};

void check_authority(const permission& p) {
  const auto& f = p.f;
  p.rule(p.by_ticket || p.owner(), "without a ticket only the owner acts");
  p.rule(!p.by_ticket || f.here != stranger, "a ticket is worth nothing on a third node");
  p.rule(
    !p.by_ticket || f.marks.highest() <= epoch{5},
    "a guard that has seen a newer epoch refuses the older one");
  p.rule(
    !p.by_ticket || !f.view || !f.view->record || f.view->record->number <= epoch{5},
    "a newer record ends the older epoch");
  p.rule(
    !changes_run_state(p.what) || !p.by_ticket || f.here != stranger,
    "no third node changes a run state");
}

void check_resume(const permission& p) {
  const auto& f = p.f;
  p.rule(p.by_ticket && f.here == target, "only the target resumes, and only on a ticket");
  p.rule(f.marks.voided < epoch{5}, "void(e) closes resume(e)");
  p.rule(f.machine != run_state::absent, "resume needs the QEMU that has loaded this epoch");
  p.rule(
    f.stream == stream_phase::completed || f.marks.run == epoch{5},
    "nothing is resumed before everything is loaded");
  p.rule(
    p.how != policy::ticket || f.marks.barrier == epoch{5},
    "a ticket counts only where its record was seen before the switchover");
  p.rule(
    (p.how != policy::check && p.how != policy::lock) || p.owner(),
    "check and lock resume only what their own view shows as their own");
  p.rule(
    p.how != policy::early || f.marks.owned == epoch{5},
    "early resumes only what its own view showed as its own before the switchover");
  p.rule(p.how != policy::claim || f.claimed, "claim resumes only after its own move");
}

void check_place(const permission& p) {
  const auto& f = p.f;
  p.rule(
    !p.is(operation::move) || p.how != policy::early ||
      (f.stream == stream_phase::none && f.marks.voided < epoch{5}),
    "early moves neither beside nor after a stream, nor after the way back");
  p.rule(
    !p.is(operation::move) || p.how == policy::early || f.machine == run_state::postmigrate,
    "every other source moves only what stands still");
  p.rule(
    !p.is(operation::move) || (p.how != policy::claim && p.how != policy::ticket),
    "under claim and ticket only the target moves");
  p.rule(
    !p.is(operation::revert) || (f.here == source && f.machine == run_state::running),
    "only a source that runs takes its config back");
}

void check_ends(const permission& p) {
  const auto& f = p.f;
  p.rule(!p.is(operation::void_epoch) || f.marks.run < epoch{5}, "resume(e) closes void(e)");
  p.rule(
    !p.is(operation::release) || (f.view && f.view->owner == target),
    "the source quits only when the target owns");
  p.rule(
    !p.is(operation::release) || f.machine == run_state::absent ||
      f.machine == run_state::postmigrate,
    "quit never hits a QEMU that runs or receives");
  p.rule(
    !p.is(operation::continue_source) ||
      (f.proof && f.proof->number == epoch{5} && f.proof->run_mark < epoch{5} &&
       f.proof->boot_id == "b" && f.marks.streamed == epoch{5}),
    "the source continues only on proof of the boot that it has streamed to");
  p.rule(!p.is(operation::settle) || p.owner(), "only the owner settles");
  p.rule(
    !p.is(operation::settle) || f.here != target ||
      (f.marks.run == epoch{5} && f.machine == run_state::running),
    "a target settles only what it has let run and what runs");
}

} // namespace

TEST_CASE("over all facts the guard keeps the rules of the handover", "[guard]") {
  std::map<std::string, std::size_t> broken;
  std::map<operation, std::size_t> allowed_of;
  std::size_t judged = 0;
  walk([&](operation what, const authority& by, const guard_facts& f) {
    ++judged;
    if (!judge(what, by, f))
      return;
    ++allowed_of[what];
    const auto* t = std::get_if<ticket>(&by);
    const permission p{what, f, t != nullptr, t != nullptr ? t->how() : policy::ticket, broken};
    check_authority(p);
    if (what == operation::resume)
      check_resume(p);
    check_place(p);
    check_ends(p);
  });
  for (const auto& [rule, times] : broken)
    FAIL_CHECK(rule << ": broken " << times << " times");
  for (const auto what : all_operations) {
    INFO(to_string(what));
    CHECK(allowed_of[what] > 0);
  }
  CHECK(judged > 1'000'000);
}
