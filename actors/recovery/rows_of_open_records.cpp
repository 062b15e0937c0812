#include "actors/recovery/recovery_rows.hpp"

namespace drover {
namespace {

using enum recovery_verdict;
using step = recovery_step;
using word = record_word;
using copy = copy_state;
using mark = target_mark;

constexpr std::string_view whether_target_ran =
  "whether {target} let it run: S is complete, and its memory is old if T went on with it";
constexpr std::string_view whether_source_ran =
  "whether {source} let it run on after {target} had loaded it: what {target} holds is old then";
constexpr std::string_view say_so =
  "drover recover --never-ran {vm} or drover recover --ran {vm} (its memory is given up then, and "
  "it starts from its disks)";
constexpr std::string_view fenced_target_say_so =
  "drover recover --fenced {target} --never-ran {vm}, or with --ran {vm} (its memory is given up "
  "then, and it starts from its disks)";
constexpr std::string_view fenced_source_say_so =
  "drover recover --fenced {source} --never-ran {vm}, or with --ran {vm} (its memory is given up "
  "then, and it starts from its disks)";

bool never_ran(const situation& s) { return s.word == operator_word::never_ran; }
bool ran(const situation& s) { return s.word == operator_word::ran; }
bool complete(const situation& s) { return s.source == copy::complete; }
bool voided(const situation& s) { return s.mark == mark::voided || s.record == word::open_voided; }

/// T may be told to run: it waits for that alone, and S never moves by itself any more.
bool may_take_over(const situation& s) {
  if (s.record == word::open_voided || s.record == word::open_kept)
    return false;
  if (target_waits(s) && s.mark == mark::ran)
    return true;
  const bool forward = complete(s) || s.record == word::open_completed;
  return s.target == copy::loaded && s.mark == mark::prepared && forward;
}

/// Nobody but people can know whether T's copy is the newest one.
bool loaded_without_source(const situation& s) {
  return source_gone(s) && target_waits(s) && s.mark != mark::voided && !may_take_over(s) &&
         s.target == copy::loaded;
}

std::vector<recovery_row> rows_of_places() {
  return {
    {"open, contradiction",
     needs_operator,
     {},
     "what {source}, {target} and the record say cannot all be true",
     "which of them is wrong",
     "RUN_DIR/{vm}.epoch on both nodes and drover/vm/{vm}.json in the store; then drover recover",
     [](const situation& s) {
       const bool sent = s.source == copy::runs || s.source == copy::streams;
       return (sent && s.mark == mark::ran && s.target != copy::absent) ||
              (s.source == copy::streams && s.mark == mark::ran) ||
              (s.target == copy::runs && s.mark != mark::ran) ||
              (complete(s) && s.record == word::open_kept) ||
              (s.mark == mark::ran && s.record == word::open_voided) ||
              (s.mark == mark::ran && s.record == word::open_kept && target_waits(s));
     }},
    {"open, no place",
     needs_operator,
     {},
     "its handover is not finished, and its config is on neither of the two nodes",
     "where its config belongs",
     "move its config to the directory of {source} or {target}; then drover recover",
     [](const situation& s) {
       return s.place == config_place::elsewhere || s.place == config_place::nowhere;
     }},
  };
}

std::vector<recovery_row> rows_of_ways_forward() {
  return {
    {"runs on target",
     finish,
     {step::claim, step::settle_target},
     "it runs on {target}",
     {},
     {},
     [](const situation& s) { return s.target == copy::runs; }},
    {"waits for take-over",
     finish,
     {step::take_over, step::claim, step::settle_target},
     "{target} has loaded all of it, and {source} never goes on by itself",
     {},
     {},
     [](const situation& s) { return may_take_over(s); }},
  };
}

std::vector<recovery_row> rows_of_running_sources() {
  return {
    {"still streams",
     revert,
     {step::cancel_stream},
     "it runs on {source}, which still sends it",
     {},
     {},
     [](const situation& s) { return s.source == copy::streams; }},
    {"runs, target waits",
     revert,
     {step::void_target, step::settle_source},
     "it runs on {source}, and a copy on {target} waits in vain",
     {},
     {},
     [](const situation& s) { return s.source == copy::runs && target_waits(s); }},
    {"runs on source",
     revert,
     {step::settle_source},
     "it runs on {source}",
     {},
     {},
     [](const situation& s) { return s.source == copy::runs; }},
  };
}

/// S has done its part, and T does not go on.
std::vector<recovery_row> rows_of_complete_sources() {
  return {
    {"void by word",
     revert,
     {step::continue_source, step::settle_source},
     "{target} has declared its epoch void, and it waits on {source}",
     {},
     {},
     [](const situation& s) { return complete(s) && s.record == word::open_voided; }},
    {"void by mark",
     revert,
     {step::void_target, step::continue_source, step::settle_source},
     "it never ran on {target}, and it waits on {source}",
     {},
     {},
     [](const situation& s) {
       return complete(s) && (s.mark == mark::voided || s.mark == mark::prepared);
     }},
    {"target silent",
     needs_operator,
     {},
     "it waits on {source}, and {target} does not answer",
     whether_target_ran,
     "drover recover when {target} answers, or drover recover --fenced {target}",
     [](const situation& s) { return complete(s) && s.target_reach == node_reach::silent; }},
    {"forgotten copy waits",
     revert,
     {step::end_target_copy, step::continue_source, step::settle_source},
     "it waits on {source}, and {target}, which still waits too, has lost its marks",
     {},
     {},
     [](const situation& s) { return complete(s) && target_waits(s); }},
    {"never ran",
     revert,
     {step::continue_source, step::settle_source},
     "by the operator's word it never ran on {target}, and it waits on {source}",
     {},
     {},
     [](const situation& s) { return complete(s) && never_ran(s); }},
    {"ran, source old",
     end_copy,
     {step::end_source_copy},
     "by the operator's word it ran on {target}, where it is gone: its copy on {source} is old",
     {},
     {},
     [](const situation& s) { return complete(s) && ran(s) && target_gone(s); }},
    {"target fenced",
     needs_operator,
     {},
     "it waits on {source}, and {target} is dead",
     whether_target_ran,
     fenced_target_say_so,
     [](const situation& s) { return complete(s) && s.target_reach == node_reach::fenced; }},
    {"target has forgotten",
     needs_operator,
     {},
     "it waits on {source}, and {target} does not prove that it never ran there",
     whether_target_ran,
     say_so,
     complete},
  };
}

/// S has no copy and will have none.
std::vector<recovery_row> rows_of_gone_sources() {
  return {
    {"void, loaded in vain",
     end_copy,
     {step::end_target_copy},
     "it is gone on {source}, and its copy on {target} was declared void",
     {},
     {},
     [](const situation& s) { return source_gone(s) && target_waits(s) && voided(s); }},
    {"kept, loaded in vain",
     end_copy,
     {step::end_target_copy},
     "it went on on {source} and is gone there: its copy on {target} is old",
     {},
     {},
     [](const situation& s) {
       return source_gone(s) && s.target == copy::loaded && (s.record == word::open_kept || ran(s));
     }},
    {"stream broken off",
     end_copy,
     {step::void_target},
     "it is gone on {source} before {target} had loaded it",
     {},
     {},
     [](const situation& s) { return source_gone(s) && s.target == copy::waits; }},
    {"source never ran on",
     finish,
     {step::take_over, step::claim, step::settle_target},
     "by the operator's word it did not go on on {source}, and {target} has loaded all of it",
     {},
     {},
     [](const situation& s) {
       return loaded_without_source(s) && s.mark == mark::prepared && never_ran(s);
     }},
    {"marks lost",
     needs_operator,
     {},
     "it is gone on {source}; {target} has loaded it and has lost its marks",
     "nothing: without them it cannot run there",
     "drover recover --ran {vm}, with --fenced {source} if that was said: its memory is given up, "
     "and it starts from its disks",
     [](const situation& s) { return loaded_without_source(s) && s.mark == mark::forgotten; }},
    {"source fenced",
     needs_operator,
     {},
     "{source} is dead, and {target} has loaded it",
     whether_source_ran,
     fenced_source_say_so,
     [](const situation& s) {
       return loaded_without_source(s) && s.source_reach == node_reach::fenced;
     }},
    {"source gone",
     needs_operator,
     {},
     "it is gone on {source}, and {target} has loaded it",
     whether_source_ran,
     say_so,
     loaded_without_source},
    {"gone, target silent",
     needs_operator,
     {},
     "it is gone on {source}, and {target} does not answer",
     "whether it is on {target}",
     "drover recover when {target} answers, or drover recover --fenced {target}",
     [](const situation& s) { return source_gone(s) && s.target_reach == node_reach::silent; }},
    {"gone, closed at source",
     close,
     {step::settle_source},
     "its QEMU is gone on {source} and on {target}; drover vm start {vm} starts it on {source}",
     {},
     {},
     [](const situation& s) {
       return s.source == copy::absent && s.place == config_place::source && target_gone(s);
     }},
    {"gone, closed at target",
     close,
     {step::close_at_target},
     "its QEMU is gone on {source} and on {target}; drover vm start {vm} starts it on {target}",
     {},
     {},
     [](const situation& s) {
       return source_gone(s) && s.place == config_place::target && s.target == copy::absent;
     }},
    {"lost with its node",
     needs_operator,
     {},
     "it went down with a node that is dead, and that node's directory holds its config",
     "where it is to start again",
     "move {vm}.conf to another node's directory, take out its line `lock: migrate`; then drover "
     "vm start {vm}",
     [](const situation& s) { return source_gone(s) && target_gone(s); }},
  };
}

std::vector<recovery_row> rows_of_silent_sources() {
  return {
    {"source silent",
     needs_operator,
     {},
     "{source} does not answer, and it may run there",
     "how its QEMU on {source} stands",
     "drover recover when {source} answers, or drover recover --fenced {source}",
     [](const situation& s) { return s.source_reach == node_reach::silent; }},
  };
}

} // namespace

std::vector<recovery_row> rows_of_open_records() {
  std::vector<recovery_row> rows;
  for (const auto& part :
       {rows_of_places(), rows_of_ways_forward(), rows_of_running_sources(),
        rows_of_complete_sources(), rows_of_gone_sources(), rows_of_silent_sources()})
    rows.insert(rows.end(), part.begin(), part.end());
  return rows;
}

} // namespace drover
