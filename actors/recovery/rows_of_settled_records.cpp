#include "actors/recovery/recovery_rows.hpp"

namespace drover {
namespace {

using enum recovery_verdict;
using step = recovery_step;
using word = record_word;
using copy = copy_state;

bool at_source(const situation& s) { return s.record == word::settled_at_source; }
bool at_target(const situation& s) { return s.record == word::settled_at_target; }

/// What was settled, and what the store or a node has of it now.
std::vector<recovery_row> rows_of_what_came_back() {
  return {
    {"settled, came back",
     revert,
     {step::settle_source},
     "it runs on {source}, and its config has gone back to {target}",
     {},
     {},
     [](const situation& s) {
       return at_source(s) && s.source == copy::runs && s.place == config_place::target;
     }},
    {"settled, went back",
     finish,
     {step::settle_target},
     "it runs on {target}, and its config has gone back to {source}",
     {},
     {},
     [](const situation& s) {
       return at_target(s) && s.target == copy::runs && s.place == config_place::source &&
              s.mark == target_mark::ran;
     }},
    {"settled, stream left",
     revert,
     {step::cancel_stream},
     "it has stayed on {source}, which still sends it",
     {},
     {},
     [](const situation& s) { return at_source(s) && s.source == copy::streams; }},
    {"settled, target waits",
     end_copy,
     {step::void_target},
     "it has stayed on {source}, and a copy on {target} waits in vain",
     {},
     {},
     [](const situation& s) {
       return at_source(s) && target_waits(s) && s.mark != target_mark::ran &&
              s.source != copy::complete;
     }},
    {"settled, source left",
     end_copy,
     {step::release_source},
     "it has moved to {target}, and its old copy is left on {source}",
     {},
     {},
     [](const situation& s) {
       return at_target(s) && s.source == copy::complete && s.place == config_place::target &&
              !target_waits(s);
     }},
    {"settled, moved back",
     finish,
     {step::claim, step::release_source},
     "it has moved to {target} and was stopped there; its config has gone back to {source}",
     {},
     {},
     [](const situation& s) {
       return at_target(s) && s.source == copy::complete && s.place == config_place::source &&
              s.target == copy::absent && s.mark == target_mark::ran;
     }},
    {"settled, old copy",
     end_copy,
     {step::end_source_copy},
     "it had moved to {target} and is gone there: its copy on {source} is old",
     {},
     {},
     [](const situation& s) {
       return at_target(s) && s.source == copy::complete && s.place == config_place::source &&
              target_gone(s);
     }},
    {"settled, target silent",
     needs_operator,
     {},
     "it had moved to {target}, its config is back on {source}, and an old copy waits there",
     "whether it runs on {target}",
     "drover recover when {target} answers, or drover recover --fenced {target}",
     [](const situation& s) {
       return at_target(s) && s.source == copy::complete && s.place == config_place::source &&
              s.target == copy::unseen;
     }},
  };
}

} // namespace

std::vector<recovery_row> rows_of_settled_records() {
  auto rows = rows_of_what_came_back();
  const std::vector<recovery_row> rest{
    {"no config",
     needs_operator,
     {},
     "a QEMU of it is there, and no node's directory holds its config",
     "its config, or that it is not wanted any more",
     "put {vm}.conf into the directory of the node where it runs (RUN_DIR/{vm}.started has it as "
     "it "
     "was started), or end that QEMU; then drover recover",
     [](const situation& s) { return !is_open(s) && s.place == config_place::nowhere; }},
    {"astray",
     needs_operator,
     {},
     "its place and what runs, or waits, do not belong together, and no handover is under way",
     "which node it belongs to",
     "drover vm list; move its config to the node where it runs, or end that QEMU; then drover "
     "recover",
     [](const situation& s) {
       return !is_open(s) && s.lock != config_lock::migrate && s.other != other_copy::waits;
     }},
    {"lock without migration",
     needs_operator,
     {},
     "its config is locked (migrate), and drover has no migration of it under way",
     "whether somebody else migrates it",
     "qm unlock {vm}, or take the line `lock: migrate` out of its config, if nobody does",
     [](const situation& s) { return !is_open(s) && s.lock == config_lock::migrate; }},
    {"old copy elsewhere",
     leave_alone,
     {},
     "a copy of an older handover waits on a third node, whose agent ends it within minutes",
     {},
     {},
     [](const situation& s) { return !is_open(s) && s.other == other_copy::waits; }},
  };
  rows.insert(rows.end(), rest.begin(), rest.end());
  return rows;
}

} // namespace drover
