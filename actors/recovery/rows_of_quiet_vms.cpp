#include "actors/recovery/recovery_rows.hpp"

namespace drover {
namespace {

using enum recovery_verdict;

bool owner_runs(const situation& s) {
  if (s.source == copy_state::runs)
    return s.place == config_place::source;
  if (s.target == copy_state::runs)
    return s.place == config_place::target;
  return s.other != other_copy::runs_astray;
}

bool at_rest(const situation& s) {
  const bool source_rests = s.source == copy_state::unseen || s.source == copy_state::absent ||
                            s.source == copy_state::runs;
  const bool target_rests = s.target == copy_state::unseen || s.target == copy_state::absent ||
                            s.target == copy_state::runs;
  return !is_open(s) && source_rests && target_rests && owner_runs(s) &&
         s.other != other_copy::waits && s.lock != config_lock::migrate;
}

} // namespace

std::vector<recovery_row> rows_of_quiet_vms() {
  return {
    {"being finished",
     wait,
     {},
     "an agent is bringing its handover to an end",
     {},
     {},
     [](const situation& s) { return s.activity == handover_activity::moves; }},
    {"two copies run",
     needs_operator,
     {},
     "it runs more than once",
     "which of its copies is to stay",
     "on the node of the other one: kill -9 $(cat RUN_DIR/{vm}.pid); then drover recover",
     [](const situation& s) { return runners(s) > 1; }},
    {"at rest", nothing, {}, "nothing is unfinished", {}, {}, at_rest},
    {"locked by others",
     leave_alone,
     {},
     "its config is locked, and not by a migration: whoever did that goes on with it first",
     {},
     {},
     [](const situation& s) { return s.lock == config_lock::foreign; }},
    {"strange copy",
     needs_operator,
     {},
     "a QEMU of it on {source} or {target} is in a state that no handover leaves behind",
     "what that QEMU is",
     "drover status, then RUN_DIR/{vm}.log on that node; drover recover when it is gone",
     any_strange},
    {"went on elsewhere",
     nothing,
     {},
     "it is gone on both nodes of its last handover, and runs where people have put its config",
     {},
     {},
     [](const situation& s) {
       return is_open(s) && s.other == other_copy::runs && source_gone(s) && target_gone(s) &&
              s.lock == config_lock::none;
     }},
    {"runs on a third node",
     needs_operator,
     {},
     "it runs on a node that its config and its last handover do not name",
     "whether that copy is the right one",
     "move its config to that node's directory, or end that QEMU; then drover recover",
     [](const situation& s) {
       return s.other == other_copy::runs_astray || (s.other == other_copy::runs && is_open(s));
     }},
  };
}

} // namespace drover
