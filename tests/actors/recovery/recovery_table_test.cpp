// Goal: the table knows every situation, never lets two copies run, and comes to rest. Method: the
// full product of situations, as the nodes tell them and as they really are, and every order of
// what the table does and what happens meanwhile.
#include "actors/recovery/recovery_table.hpp"
#include "tests/actors/recovery/recovery_model.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

using namespace drover;
using namespace drover::testing;

namespace {

using copy = copy_state;
using mark = target_mark;
using word = record_word;

constexpr int rounds_max = 6;

std::string text(const situation& s) {
  const auto n = [](auto value) { return std::to_string(static_cast<int>(value)); };
  return "record " + n(s.record) + " place " + n(s.place) + " S " + n(s.source_reach) + "/" +
         n(s.source) + " T " + n(s.target_reach) + "/" + n(s.target) + " mark " + n(s.mark) +
         " other " + n(s.other) + " lock " + n(s.lock) + " word " + n(s.word);
}

/// The first that comes of each step; stops where one is refused.
truth applied(truth of, const recovery_row& row) {
  for (const auto step : row.steps) {
    const auto after = after_step(of, step);
    if (after.empty())
      break;
    of = after.front();
  }
  return of;
}

struct end_of_rounds {
  truth at;
  const recovery_row* row = nullptr;
  int rounds = 0;
};

/// Nothing happens but what the table does.
end_of_rounds recovered(truth of) {
  end_of_rounds end{std::move(of)};
  for (; end.rounds <= rounds_max; ++end.rounds) {
    end.row = &decide_recovery(seen_of(end.at));
    if (end.row->steps.empty())
      break;
    end.at = applied(end.at, *end.row);
  }
  return end;
}

/// The newest memory of the VM is somewhere, and somebody may still let it run.
bool can_go_on(const situation& s) {
  if (s.source == copy::runs || s.source == copy::streams || s.target == copy::runs)
    return true;
  const bool given_up = s.record == word::open_kept || s.record == word::open_voided;
  return s.source == copy::complete || (s.target == copy::loaded && s.mark == mark::prepared &&
                                        !given_up && s.record == word::open_completed);
}

bool at_two_healthy_nodes(const situation& s) {
  return s.source_reach == node_reach::answers && s.target_reach == node_reach::answers &&
         s.source != copy::strange && s.target != copy::strange && s.other == other_copy::none &&
         (s.place == config_place::source || s.place == config_place::target) &&
         s.lock != config_lock::foreign;
}

/// One copy, at its owner, nothing open, nothing locked.
bool is_well(const situation& s) {
  const bool at_source = s.source == copy::runs && s.place == config_place::source;
  const bool at_target = s.target == copy::runs && s.place == config_place::target;
  return at_source != at_target && s.record < word::open && s.lock == config_lock::none;
}

/// Everything that can come of one decision while the world goes on beside it.
class interleavings {
public:
  explicit interleavings(const recovery_row& row) : row_(row) {}

  /// The first state with two running copies; empty = none.
  std::string search(const truth& from) {
    visit(from, 0);
    return bad_;
  }

private:
  void visit(const truth& at, std::size_t step) {
    if (!bad_.empty() || !seen_.emplace(at, step).second)
      return;
    if (running_copies(at) > 1) {
      bad_ =
        std::string{row_.name} + ", before step " + std::to_string(step) + ": " + text(at.real);
      return;
    }
    for (const auto& next : what_may_happen(at))
      visit(next, step);
    if (step == row_.steps.size())
      return;
    for (const auto& next : after_step(at, row_.steps[step]))
      visit(next, step + 1);
  }

  const recovery_row& row_;
  std::set<std::pair<truth, std::size_t>> seen_;
  std::string bad_;
};

} // namespace

TEST_CASE("every situation has a row, and every row a situation", "[recovery]") {
  std::map<std::string_view, std::size_t> used;
  std::size_t undecided = 0;
  const auto& rows = recovery_rows();
  for_every_truth([&](const truth& t) {
    const auto s = seen_of(t);
    const auto fits = [&s](const recovery_row& r) { return r.when(s); };
    const auto found = std::find_if(rows.begin(), rows.end(), fits);
    if (found == rows.end() && undecided++ < 5)
      UNSCOPED_INFO(text(s));
    if (found != rows.end())
      ++used[found->name];
  });
  CHECK(undecided == 0);
  situation moving;
  moving.activity = handover_activity::moves;
  ++used[decide_recovery(moving).name];
  for (const auto& r : rows) {
    INFO(r.name);
    CHECK(used[r.name] > 0);
  }
}

TEST_CASE("what a row tells is whole", "[recovery]") {
  std::set<std::string_view> names;
  for (const auto& r : recovery_rows()) {
    INFO(r.name);
    CHECK(names.insert(r.name).second);
    CHECK_FALSE(r.reason.empty());
    const bool needs = r.verdict == recovery_verdict::needs_operator;
    CHECK(r.missing.empty() == !needs);
    CHECK(r.command.empty() == !needs);
    const bool acts =
      r.verdict == recovery_verdict::finish || r.verdict == recovery_verdict::revert ||
      r.verdict == recovery_verdict::end_copy || r.verdict == recovery_verdict::close;
    CHECK(r.steps.empty() == !acts);
    for (const auto sentence : {r.reason, r.missing, r.command})
      CHECK(
        told(sentence, vm_id{101}, node_id{"n1"}, node_id{"n2"}).find('{') == std::string::npos);
  }
}

namespace {

constexpr std::array told_words{operator_word::never_ran, operator_word::ran};

/// What follows when the operator does as the command says.
std::vector<situation> after_command(const situation& s, const std::string& command) {
  auto told = s;
  const auto says = [&command](const char* what) {
    return command.find(what) != std::string::npos;
  };
  if (says("--fenced n1") && s.source_reach == node_reach::silent)
    told.source_reach = node_reach::fenced;
  if (says("--fenced n2") && s.target_reach == node_reach::silent)
    told.target_reach = node_reach::fenced;
  if (says("qm unlock"))
    told.lock = config_lock::none;
  std::vector<situation> all;
  if (told != s)
    all.push_back(told);
  if (says("kill -9") || says("end that QEMU"))
    for (const auto which : {&situation::source, &situation::target}) {
      all.push_back(told);
      all.back().other = other_copy::none;
      all.back().*which = copy::absent;
    }
  for (const auto one : told_words)
    if (says(one == operator_word::ran ? "--ran 101" : "--never-ran 101")) {
      all.push_back(told);
      all.back().word = one;
    }
  if (says("to another node's directory")) {
    all.push_back(s);
    all.back().place = config_place::elsewhere;
    all.back().lock = config_lock::none;
    all.back().other = other_copy::runs;
  }
  if (says("move its config to") || says("put 101.conf"))
    for (const auto place : {config_place::source, config_place::target}) {
      all.push_back(s);
      all.back().place = place;
      all.back().lock = config_lock::none;
    }
  return all;
}

} // namespace

TEST_CASE("what an operator is told to do leads on, and names who does not answer", "[recovery]") {
  std::set<std::string_view> looked_at_by_people{"open, contradiction", "strange copy"};
  std::set<std::string_view> stuck;
  std::size_t told_count = 0;
  for_every_truth([&](const truth& t) {
    const auto s = seen_of(t);
    const auto& row = decide_recovery(s);
    if (row.verdict != recovery_verdict::needs_operator)
      return;
    ++told_count;
    const auto command = told(row.command, vm_id{101}, node_id{"n1"}, node_id{"n2"});
    // A node that answers is not fenced; `drover recover` would refuse the word.
    const auto fences = [&](const char* node) {
      return command.find(std::string{"or drover recover --fenced "} + node) != std::string::npos;
    };
    if (
      (fences("n1") && s.source_reach != node_reach::silent) ||
      (fences("n2") && s.target_reach != node_reach::silent))
      FAIL(row.name << ": names a node that answers: " << text(s));
    if (command.find("drover ") == std::string::npos && command.find("qm unlock") != 0)
      FAIL(row.name << ": no command: " << command);
    // Two things that cannot both be are mended one after the other.
    if (looked_at_by_people.contains(row.name) || !is_possible(t))
      return;
    const auto next = after_command(s, command);
    const bool leads_on = std::any_of(next.begin(), next.end(), [&](const situation& n) {
      return decide_recovery(n).name != row.name;
    });
    if (!leads_on && stuck.insert(row.name).second)
      UNSCOPED_INFO(row.name << ": " << command << "\n  leads nowhere from " << text(s));
  });
  CHECK(stuck.empty());
  CHECK(told_count > 1000);
}

TEST_CASE("no decision can end in two running copies", "[recovery]") {
  std::size_t searched = 0;
  std::size_t bad = 0;
  for_every_truth([&](const truth& t) {
    if (!is_possible(t))
      return;
    const auto& row = decide_recovery(seen_of(t));
    ++searched;
    if (const auto how = interleavings{row}.search(t); !how.empty() && bad++ < 5)
      UNSCOPED_INFO(how << "\n  from " << text(t.real));
  });
  CHECK(bad == 0);
  CHECK(searched > 10'000);
}

TEST_CASE("where more than one copy runs, nothing is done", "[recovery]") {
  for_every_truth([](const truth& t) {
    const auto s = seen_of(t);
    if (running_copies(truth{s}) > 1 && !decide_recovery(s).steps.empty())
      FAIL(text(s));
  });
}

TEST_CASE("the decisions come to rest", "[recovery]") {
  std::size_t restless = 0;
  for_every_truth([&](const truth& t) {
    const auto end = recovered(t);
    if (end.rounds > rounds_max && restless++ < 5)
      UNSCOPED_INFO(end.row->name << " again and again, from " << text(t.real));
  });
  CHECK(restless == 0);
}

TEST_CASE("two nodes that answer and a copy that can go on need nobody", "[recovery]") {
  std::size_t unwell = 0;
  std::size_t tried = 0;
  for_every_truth([&](const truth& t) {
    const auto& s = t.real;
    const bool asked = s.record >= word::open && s.word == operator_word::none;
    // A target that has forgotten may have let it run.
    const bool unknown = s.source == copy::complete && s.target == copy::absent &&
                         (s.mark == mark::forgotten || s.mark == mark::ran);
    if (!is_possible(t) || !at_two_healthy_nodes(s) || !asked || !can_go_on(s) || unknown)
      return;
    if (s.record == word::open_voided && s.mark != mark::voided)
      return;
    ++tried;
    const auto end = recovered(t);
    if ((!is_well(end.at.real) || end.row->verdict != recovery_verdict::nothing) && unwell++ < 5)
      UNSCOPED_INFO(
        end.row->name << " in the end, " << text(end.at.real) << "\n  from " << text(s));
  });
  CHECK(unwell == 0);
  CHECK(tried > 100);
}

TEST_CASE("the last copy goes only where it is old", "[recovery]") {
  std::size_t lost = 0;
  for_every_truth([&](const truth& t) {
    const auto& s = t.real;
    if (!is_possible(t) || s.record < word::open || !can_go_on(s) || s.word == operator_word::ran)
      return;
    const auto end = recovered(t);
    const auto& at = end.at.real;
    const bool alive = can_go_on(at) || (at.target == copy::loaded && at.mark != mark::voided);
    if (!alive && lost++ < 5)
      UNSCOPED_INFO(end.row->name << " in the end, " << text(at) << "\n  from " << text(s));
  });
  CHECK(lost == 0);
}

TEST_CASE("a fact that was missing ends the matter once it is told", "[recovery]") {
  situation half;
  half.record = word::open_completed;
  half.source = copy::complete;
  half.target_reach = node_reach::silent;
  half.target = copy::unseen;
  half.lock = config_lock::migrate;
  CHECK(decide_recovery(half).name == "target silent");
  half.target_reach = node_reach::fenced;
  CHECK(decide_recovery(half).name == "target fenced");
  half.word = operator_word::never_ran;
  truth t{half};
  t.real.target = copy::absent;
  auto end = recovered(t);
  CHECK(end.row->verdict == recovery_verdict::nothing);
  CHECK(end.at.real.source == copy::runs);
  t.real.word = operator_word::ran;
  end = recovered(t);
  CHECK(end.row->verdict == recovery_verdict::nothing);
  CHECK(end.at.real.source == copy::absent);
  CHECK(end.at.real.lock == config_lock::none);

  situation lost;
  lost.record = word::open_completed;
  lost.source_reach = lost.target_reach = node_reach::fenced;
  lost.source = lost.target = copy::unseen;
  lost.lock = config_lock::migrate;
  CHECK(decide_recovery(lost).name == "lost with its node");
  lost.place = config_place::elsewhere;
  lost.lock = config_lock::none;
  lost.other = other_copy::runs;
  CHECK(decide_recovery(lost).verdict == recovery_verdict::nothing);
  // The nodes come back, empty.
  lost.source_reach = lost.target_reach = node_reach::answers;
  lost.source = lost.target = copy::absent;
  CHECK(decide_recovery(lost).verdict == recovery_verdict::nothing);

  situation other_half;
  other_half.record = word::open;
  other_half.source_reach = node_reach::fenced;
  other_half.source = copy::unseen;
  other_half.target = copy::loaded;
  other_half.mark = mark::prepared;
  CHECK(decide_recovery(other_half).name == "source fenced");
  other_half.word = operator_word::never_ran;
  t = truth{other_half};
  t.real.source = copy::absent;
  end = recovered(t);
  CHECK(end.row->verdict == recovery_verdict::nothing);
  CHECK(end.at.real.target == copy::runs);
}
