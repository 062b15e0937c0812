#include "runtime/program/control_commands.hpp"

#include "runtime/program/command_output.hpp"
#include "runtime/program/control_client.hpp"
#include "runtime/program/history_command.hpp"
#include "runtime/program/run_control.hpp"
#include "runtime/program/run_log.hpp"
#include "runtime/program/state_directory.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// Between the end of a run's socket and its end in the journal lies less than this.
constexpr auto ending_patience = 3s;
constexpr auto look_again = 50ms;

struct known_run {
  std::shared_ptr<journal> from;
  journal_run run;
  std::filesystem::path state;
};

result<known_run> find_run(const options& o, const std::string& id) {
  const auto state = state_directory(o.state_dir);
  if (!state)
    return tl::unexpected(state.error());
  auto from = journal_in(o.state_dir);
  if (!from)
    return tl::unexpected(from.error());
  auto run = (*from)->run(id);
  if (!run)
    return tl::unexpected(run.error());
  return known_run{std::move(*from), std::move(*run), *state};
}

int has_ended(const journal_run& run) {
  return complain({errc::invalid, run.id + " has ended: " + run.result, {}});
}

int tell(const options& o, const std::string& id, const std::string& text) {
  print(
    o.out == output_format::json ? nlohmann::ordered_json{{"id", id}, {"told", text}}.dump(2) + "\n"
                                 : id + ": " + text + "\n");
  return as_int(outcome_code::all_moved);
}

error nobody_there(const journal_run& run) {
  return {
    errc::conflict,
    "nobody carries " + run.id + " out: its controller (" + run.controller +
      ") is gone; drover resume " + run.id + " goes on with it",
    {}};
}

/// What the run's process told; nullopt when there is none.
std::optional<int> ask_process(const options& o, const known_run& known, control_ask ask) {
  const auto told = ask_run(socket_file(known.state, known.run.id), ask);
  if (told)
    return tell(o, known.run.id, *told);
  if (process_lock::holder(alive_file(known.state, known.run.id)))
    return complain(told.error()); // It is there, and does not answer.
  return std::nullopt;
}

int show_end(const options& o, const control_ended& end) {
  print(o.out == output_format::json ? end.json : end.table);
  return end.exit_code;
}

/// Of a run that has ended before.
int show_past(const options& o, const journal_run& run) {
  const auto told = shown_run(o, {run.id});
  if (!told)
    return complain(told.error());
  print(*told);
  return run.exit_code;
}

} // namespace

int list_evacuations(const options& o) { return answer_with(told_evacuations(o)); }

int pause_run(const options& o, const std::string& id) {
  const auto known = find_run(o, id);
  if (!known)
    return complain(known.error());
  if (known->run.ended)
    return has_ended(known->run);
  const auto code = ask_process(o, *known, control_ask::pause);
  return code ? *code : complain(nobody_there(known->run));
}

std::optional<int> resume_living_run(const options& o, const std::string& id) {
  const auto known = find_run(o, id);
  if (!known)
    return complain(known.error());
  if (known->run.ended)
    return has_ended(known->run);
  return ask_process(o, *known, control_ask::resume);
}

int cancel_run(const options& o, const std::string& id) {
  const auto known = find_run(o, id);
  if (!known)
    return complain(known.error());
  if (known->run.ended)
    return has_ended(known->run);
  if (const auto code = ask_process(o, *known, control_ask::cancel))
    return *code;
  const auto code = outcome_code::cancelled;
  const auto closed = known->from->write(
    known->run.id, {run_closed{wall_now(), std::string{to_string(code)}, as_int(code)}});
  if (!closed)
    return complain(closed.error());
  return tell(o, known->run.id, "its controller was gone already; it will not be resumed");
}

std::optional<int> attach_to(const options& o, const std::string& id, interrupts& signals) {
  const auto state = state_directory(o.state_dir);
  if (!state)
    return std::nullopt;
  std::fprintf(
    stderr, "drover: %s is under way; this command follows it (Ctrl-C leaves it alone)\n",
    id.c_str());
  const auto end = follow_run(
    socket_file(*state, id), signals, [](const auto& text) { std::fputs(text.c_str(), stderr); });
  if (end && *end)
    return show_end(o, **end);
  if (end) {
    std::fprintf(
      stderr, "drover: left %s; it goes on, see drover wait %s\n", id.c_str(), id.c_str());
    return as_int(outcome_code::deadline_passed);
  }
  for (const auto until = monotonic_now() + ending_patience; monotonic_now() < until;) {
    if (const auto known = find_run(o, id); known && known->run.ended)
      return show_past(o, known->run);
    if (!process_lock::holder(alive_file(*state, id)))
      break;
    signals.wait(look_again);
  }
  return std::nullopt;
}

int wait_for_run(const options& o, const std::string& id) {
  interrupts signals;
  const auto known = find_run(o, id);
  if (!known)
    return complain(known.error());
  if (known->run.ended)
    return show_past(o, known->run);
  if (const auto code = attach_to(o, known->run.id, signals))
    return *code;
  return complain(nobody_there(known->run));
}

} // namespace drover
