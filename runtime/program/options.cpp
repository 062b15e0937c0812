#include "runtime/program/options.hpp"

#include "runtime/program/run_flags.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <sstream>

namespace drover {
namespace {

/// Texts as the user typed them; turned into `options` when everything was accepted.
struct raw_options {
  std::string cluster_file;
  std::string out = "table";
  std::string trace_file;
  std::string die_at;
  std::vector<std::string> die_with;
  std::string state_dir;
  std::string id;
  std::string node;
  std::vector<std::string> to;
  std::vector<std::uint32_t> vms;
  std::uint32_t vm = 0;
  std::string how;
  std::string stream;
  std::uint32_t channels = 0;
  std::uint32_t streams_max = 0;
  std::uint32_t prepare_max = 0;
  bool dry_run = false;
  bool detach = false;
  int tell_fd = -1;
  exposure_flags shown;
  std::string report;
  std::vector<std::string> nodes;
  bool yes = false;
  std::vector<std::string> fenced;
  std::vector<std::uint32_t> never_ran;
  std::vector<std::uint32_t> ran;
  run_flags play;
};

constexpr std::uint32_t vm_id_min = 100;
constexpr std::uint32_t vm_id_max = 999'999'999;
constexpr std::uint32_t permits_max = 10'000;

struct commands {
  CLI::App* status;
  CLI::App* vm;
  CLI::App* vm_start;
  CLI::App* vm_stop;
  CLI::App* vm_list;
  CLI::App* plan;
  CLI::App* migrate;
  CLI::App* evacuate;
  CLI::App* recover;
  CLI::App* run;
  CLI::App* node;
  CLI::App* node_trust;
  CLI::App* node_check;
  CLI::App* past;
  CLI::App* history;
  CLI::App* show;
  CLI::App* evacuations;
  CLI::App* pause;
  CLI::App* resume;
  CLI::App* cancel;
  CLI::App* wait;
  CLI::App* version;
};

CLI::Validator policy_check() {
  return CLI::Validator(
    [](const std::string& text) {
      return policy_from_string(text)
               ? std::string{}
               : "'" + text + "' is not a policy; it is one of " + std::string{policy_names()};
    },
    "POLICY");
}

void add_vms(CLI::App* app, raw_options& raw) {
  app->add_option("VMID", raw.vms, "the VMs' numbers")
    ->required()
    ->check(CLI::Range(vm_id_min, vm_id_max));
}

void add_to(CLI::App* app, raw_options& raw) {
  app->add_option("--to", raw.to, "a node that may take VMs; may be given several times");
}

void add_policy(CLI::App* app, raw_options& raw) {
  app->add_option("--policy", raw.how, std::string{policy_names()} + " (default: ticket)")
    ->check(policy_check());
}

void add_stream(CLI::App* app, std::string& raw) {
  app->add_option("--stream", raw, "tls, or plain in a trusted network (default: the file's)")
    ->check(CLI::IsMember({"tls", "plain"}))
    ->type_name("KIND");
}

void add_channels(CLI::App* app, std::uint32_t& raw) {
  app
    ->add_option(
      "--channels", raw, "of each memory stream, where both nodes can (default: the file's, or 1)")
    ->check(CLI::Range(1U, stream_channels_max))
    ->type_name("N");
}

void add_report(CLI::App* app, raw_options& raw) {
  app->add_option("--report", raw.report, "write a report for people there: HTML, CSV and JSON")
    ->type_name("DIR");
}

void add_globals(CLI::App& app, raw_options& raw) {
  app.add_option("--cluster", raw.cluster_file, "the cluster file")->type_name("FILE");
  app.add_option("-o,--output", raw.out, "table or json")
    ->check(CLI::IsMember({"table", "json"}))
    ->type_name("FORMAT");
  app.add_option("--trace", raw.trace_file, "write the typed trace as NDJSON")->type_name("FILE");
  app
    .add_option(
      "--state-dir", raw.state_dir,
      "for the journal and past runs (default: ~/.local/state/drover)")
    ->type_name("DIR");
}

void add_node_commands(CLI::App& app, raw_options& raw, commands& c) {
  c.node = app.add_subcommand("node", "prepare nodes on other machines");
  c.node->require_subcommand(1);
  c.node_trust = c.node->add_subcommand("trust", "note a node's host key in known_hosts");
  c.node_trust->add_option("NODE", raw.node, "the node")->required();
  c.node_trust->add_flag("--yes", raw.yes, "note it without asking");
  c.node_check = c.node->add_subcommand("check", "what nodes lack, and what mends it");
  c.node_check->add_option("NODE", raw.nodes, "these nodes only");
}

void add_recover(CLI::App& app, raw_options& raw, commands& c) {
  c.recover =
    app.add_subcommand("recover", "finish or revert what a controller that died has left");
  c.recover
    ->add_option(
      "--fenced", raw.fenced, "a node that is dead, by your word; may be given several times")
    ->type_name("NODE");
  const auto add_word = [&c](const char* flag, std::vector<std::uint32_t>& to, const char* what) {
    c.recover->add_option(flag, to, what)
      ->check(CLI::Range(vm_id_min, vm_id_max))
      ->type_name("VMID");
  };
  add_word(
    "--never-ran", raw.never_ran, "its copy that nobody can ask never ran: the other one goes on");
  add_word("--ran", raw.ran, "it did: what is left is old and goes, and so does its memory");
  c.recover->add_flag("--dry-run", raw.dry_run, "tell what would be done and stop");
}

CLI::App* add_of_run(CLI::App& app, raw_options& raw, const char* name, const char* does) {
  auto* command = app.add_subcommand(name, does);
  command->add_option("ID", raw.id, "of which; last = the latest")->required();
  return command;
}

void add_control_commands(CLI::App& app, raw_options& raw, commands& c) {
  c.evacuations = app.add_subcommand("evacuations", "those that have not ended");
  c.pause =
    add_of_run(app, raw, "pause", "let nothing new begin; what is under way ends as it would have");
  c.resume =
    add_of_run(app, raw, "resume", "go on with a run that is paused, or whose controller has died");
  add_exposure_flags(*c.resume, raw.shown);
  add_report(c.resume, raw);
  c.cancel = add_of_run(
    app, raw, "cancel",
    "end a run safely: what is past its switchover is finished, the rest stays");
  c.wait = add_of_run(app, raw, "wait", "follow a run to its end; exits as the run does");
}

commands add_commands(CLI::App& app, raw_options& raw) {
  commands c{};
  c.status = app.add_subcommand("status", "nodes, VMs and what is unfinished");
  c.status->add_option("NODE", raw.node, "only this node");
  c.vm = app.add_subcommand("vm", "start, stop and list VMs");
  c.vm->require_subcommand(1);
  c.vm_start = c.vm->add_subcommand("start", "start VMs on the nodes that own them");
  add_vms(c.vm_start, raw);
  c.vm_stop = c.vm->add_subcommand("stop", "end the VMs' QEMUs");
  add_vms(c.vm_stop, raw);
  c.vm_list = c.vm->add_subcommand("list", "VMs by number");
  c.vm_list->add_option("NODE", raw.node, "only this node");
  c.plan = app.add_subcommand("plan", "what evacuate would do; nothing is touched");
  c.plan->add_option("NODE", raw.node, "the node to empty")->required();
  add_to(c.plan, raw);
  c.migrate = app.add_subcommand("migrate", "move one running VM");
  c.migrate->add_option("VMID", raw.vm, "the VM's number")
    ->required()
    ->check(CLI::Range(vm_id_min, vm_id_max));
  c.migrate->add_option("NODE", raw.node, "where to")->required();
  add_policy(c.migrate, raw);
  add_stream(c.migrate, raw.stream);
  add_channels(c.migrate, raw.channels);
  add_exposure_flags(*c.migrate, raw.shown);
  add_report(c.migrate, raw);
  c.evacuate = app.add_subcommand("evacuate", "move every running VM off a node");
  c.evacuate->add_option("NODE", raw.node, "the node to empty")->required();
  add_to(c.evacuate, raw);
  add_policy(c.evacuate, raw);
  add_stream(c.evacuate, raw.stream);
  add_channels(c.evacuate, raw.channels);
  c.evacuate->add_option("--max-streams", raw.streams_max, "memory streams per node at a time")
    ->check(CLI::Range(1U, permits_max));
  c.evacuate->add_option("--max-prepare", raw.prepare_max, "migrations under way at a time")
    ->check(CLI::Range(1U, permits_max));
  c.evacuate->add_flag("--dry-run", raw.dry_run, "print the plan and stop");
  c.evacuate->add_flag("--detach", raw.detach, "in the background; prints the run's ID");
  c.evacuate->add_option("--in-background", raw.tell_fd)->group(""); // Ours, not for people.
  c.evacuate->add_option("--die-at", raw.die_at)->group("");         // The same, as the next.
  c.evacuate->add_option("--die-with", raw.die_with)->group("");
  add_exposure_flags(*c.evacuate, raw.shown);
  add_report(c.evacuate, raw);
  add_recover(app, raw, c);
  c.run = app.add_subcommand("run", "play a scenario, or a folder of them, and judge it");
  add_run_flags(*c.run, raw.play);
  add_stream(c.run, raw.play.stream);
  add_channels(c.run, raw.play.channels);
  add_node_commands(app, raw, c);
  c.past = app.add_subcommand("report", "past evacuations and migrations, or the report of one");
  c.past->add_option("ID", raw.id, "of which; last = the latest");
  add_report(c.past, raw);
  c.history = app.add_subcommand("history", "runs, past and present, or what happened in one");
  c.history->add_option("ID", raw.id, "of which; last = the latest");
  c.show = add_of_run(app, raw, "show", "one run: its plan, and where each VM stands");
  add_control_commands(app, raw, c);
  c.version = app.add_subcommand("version", "print the version");
  return c;
}

std::vector<node_id> nodes_of(const std::vector<std::string>& names) {
  std::vector<node_id> nodes;
  for (const auto& list : names) {
    std::istringstream words{list};
    for (std::string name; std::getline(words, name, ',');)
      nodes.emplace_back(name);
  }
  return nodes;
}

std::vector<vm_id> vms_of(const std::vector<std::uint32_t>& numbers) {
  return {numbers.begin(), numbers.end()};
}

template <class T>
std::optional<T> optional_of(const T& value) {
  return value == T{} ? std::nullopt : std::optional<T>{value};
}

options options_of(const raw_options& raw, const commands& c) {
  options o;
  o.cluster_file = raw.cluster_file;
  o.out = raw.out == "json" ? output_format::json : output_format::table;
  o.trace_file = raw.trace_file;
  o.state_dir = raw.state_dir;
  const auto node = raw.node.empty() ? std::nullopt : std::optional{node_id{raw.node}};
  const auto how = policy_from_string(raw.how);
  const auto stream = stream_kind_from_string(raw.stream);
  if (c.status->parsed())
    o.command = status_options{node};
  else if (c.vm_start->parsed())
    o.command = vm_start_options{vms_of(raw.vms)};
  else if (c.vm_stop->parsed())
    o.command = vm_stop_options{vms_of(raw.vms)};
  else if (c.vm_list->parsed())
    o.command = vm_list_options{node};
  else if (c.plan->parsed())
    o.command = plan_options{*node, nodes_of(raw.to)};
  else if (c.migrate->parsed())
    o.command = migrate_options{
      vm_id{raw.vm}, *node,  how.value_or(policy::ticket), exposure_options_of(raw.shown),
      raw.report,    stream, optional_of(raw.channels)};
  else if (c.evacuate->parsed())
    o.command = evacuate_options{
      *node,
      nodes_of(raw.to),
      how.value_or(policy::ticket),
      optional_of(raw.streams_max),
      optional_of(raw.prepare_max),
      raw.dry_run,
      exposure_options_of(raw.shown),
      raw.report,
      stream,
      optional_of(raw.channels),
      raw.detach ? run_place::background : run_place::here,
      raw.tell_fd < 0 ? std::nullopt : std::optional{raw.tell_fd},
      raw.die_at,
      nodes_of(raw.die_with)};
  else if (c.recover->parsed())
    o.command =
      recover_options{nodes_of(raw.fenced), vms_of(raw.never_ran), vms_of(raw.ran), raw.dry_run};
  else if (c.run->parsed())
    o.command = run_options_of(raw.play);
  else if (c.node_trust->parsed())
    o.command = node_trust_options{*node, raw.yes};
  else if (c.node_check->parsed())
    o.command = node_check_options{nodes_of(raw.nodes)};
  else if (c.past->parsed())
    o.command = report_options{raw.id, raw.report};
  else if (c.history->parsed())
    o.command = history_options{raw.id};
  else if (c.show->parsed())
    o.command = show_options{raw.id};
  else if (c.evacuations->parsed())
    o.command = evacuations_options{};
  else if (c.pause->parsed())
    o.command = pause_options{raw.id};
  else if (c.resume->parsed())
    o.command = resume_options{raw.id, exposure_options_of(raw.shown), raw.report};
  else if (c.cancel->parsed())
    o.command = cancel_options{raw.id};
  else if (c.wait->parsed())
    o.command = wait_options{raw.id};
  else
    o.command = version_options{};
  return o;
}

} // namespace

std::variant<options, printed_exit> parse_options(int argc, const char* const* argv) {
  CLI::App app{"drover empties a node of running VMs before maintenance.", "drover"};
  raw_options raw;
  add_globals(app, raw);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_help_all_flag("--help-all", "help of every command");
  const auto c = add_commands(app, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::ostringstream out;
    std::ostringstream err;
    const bool is_error = app.exit(e, out, err) != 0;
    return printed_exit{
      is_error ? "drover: " + std::string{e.what()} + "; see drover --help\n" : out.str(),
      is_error};
  }
  const std::array<const CLI::App*, 10> alone{c.run,         c.past,  c.version, c.history, c.show,
                                              c.evacuations, c.pause, c.resume,  c.cancel,  c.wait};
  const bool needs_cluster =
    std::none_of(alone.begin(), alone.end(), [](const auto* one) { return one->parsed(); });
  if (needs_cluster && raw.cluster_file.empty())
    return printed_exit{"drover: --cluster FILE is missing; see drover --help\n", true};
  if (c.run->parsed())
    if (const auto why_not = objection_to(raw.play, raw.trace_file); !why_not.empty())
      return printed_exit{"drover: " + why_not + "; see drover run --help\n", true};
  auto o = options_of(raw, c);
  o.words.assign(argv + 1, argv + argc);
  return o;
}

} // namespace drover
