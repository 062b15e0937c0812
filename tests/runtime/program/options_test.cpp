#include "runtime/program/options.hpp"

#include <catch2/catch.hpp>

using namespace drover;

namespace {

std::variant<options, printed_exit> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "drover");
  return parse_options(static_cast<int>(words.size()), words.data());
}

template <class T>
T command_of(std::vector<const char*> words) {
  auto parsed = parse(std::move(words));
  if (auto* bad = std::get_if<printed_exit>(&parsed))
    FAIL(bad->text);
  return std::get<T>(std::get<options>(parsed).command);
}

} // namespace

TEST_CASE("evacuate takes its flags before and after the node", "[options]") {
  const auto e = command_of<evacuate_options>(
    {"--cluster", "c.json", "evacuate", "n1", "--to", "n2", "--to", "n3", "--policy", "claim",
     "--max-streams", "4", "--max-prepare", "16", "--dry-run", "--stream", "plain", "--channels",
     "4"});
  CHECK(e.node == node_id{"n1"});
  CHECK(e.to == std::vector<node_id>{node_id{"n2"}, node_id{"n3"}});
  CHECK(e.how == policy::claim);
  CHECK(e.streams_max == 4U);
  CHECK(e.prepare_max == 16U);
  CHECK(e.dry_run);
  CHECK(e.stream == stream_kind::plain);
  CHECK(e.channels == 4U);
}

TEST_CASE("recover takes the operator's words", "[options]") {
  const auto r = command_of<recover_options>(
    {"--cluster", "c", "recover", "--fenced", "n1", "--fenced", "n2", "--never-ran", "105",
     "--never-ran", "106", "--ran", "107", "--dry-run"});
  CHECK(r.fenced == std::vector<node_id>{node_id{"n1"}, node_id{"n2"}});
  CHECK(r.never_ran == std::vector<vm_id>{vm_id{105}, vm_id{106}});
  CHECK(r.ran == std::vector<vm_id>{vm_id{107}});
  CHECK(r.dry_run);
  CHECK_FALSE(command_of<recover_options>({"--cluster", "c", "recover"}).dry_run);
  CHECK(std::get<printed_exit>(parse({"recover"})).is_error);
  CHECK(std::get<printed_exit>(parse({"--cluster", "c", "recover", "--ran", "7"})).is_error);
}

TEST_CASE("what others may see of a command is the same for all that move VMs", "[options]") {
  const std::vector<const char*> flags{
    "--metrics",
    "127.0.0.1:9187",
    "--metrics-file",
    "d.prom",
    "--metrics-linger",
    "5s",
    "--metrics-token-file",
    "t"};
  const auto with = [&flags](std::vector<const char*> words) {
    words.insert(words.end(), flags.begin(), flags.end());
    return words;
  };
  const auto check = [](const exposure_options& shown) {
    CHECK(shown.address == "127.0.0.1:9187");
    CHECK(shown.file == "d.prom");
    CHECK(shown.token_file == "t");
    CHECK(shown.linger == std::chrono::seconds{5});
  };
  check(command_of<evacuate_options>(with({"--cluster", "c", "evacuate", "n1"})).shown);
  check(command_of<migrate_options>(with({"--cluster", "c", "migrate", "105", "n2"})).shown);
  check(command_of<run_options>(with({"run", "s.json"})).shown);
  const auto usual = command_of<run_options>({"run", "s.json"}).shown;
  CHECK(usual.address.empty());
  CHECK(usual.linger == linger_default);
  CHECK(
    command_of<run_options>({"run", "s.json", "--metrics-linger", "0"}).shown.linger ==
    nanoseconds{0});
}

TEST_CASE("the commands that move VMs write a report where it is asked for", "[options]") {
  CHECK(
    command_of<evacuate_options>({"--cluster", "c", "evacuate", "n1", "--report", "d"}).report ==
    "d");
  CHECK(
    command_of<migrate_options>({"--cluster", "c", "migrate", "105", "n2", "--report", "d"})
      .report == "d");
  CHECK(command_of<run_options>({"run", "s.json", "--report", "d"}).report == "d");
  CHECK(command_of<evacuate_options>({"--cluster", "c", "evacuate", "n1"}).report.empty());
}

TEST_CASE("global flags may stand after the command", "[options]") {
  auto parsed = parse({"status", "n2", "--cluster", "c.json", "-o", "json", "--trace", "t"});
  REQUIRE(std::holds_alternative<options>(parsed));
  const auto& o = std::get<options>(parsed);
  CHECK(o.out == output_format::json);
  CHECK(o.cluster_file == "c.json");
  CHECK(o.trace_file == "t");
  CHECK(std::get<status_options>(o.command).node == node_id{"n2"});
}

TEST_CASE("the other commands are read", "[options]") {
  CHECK(command_of<migrate_options>({"--cluster", "c", "migrate", "105", "n2"}).vm == vm_id{105});
  CHECK(
    command_of<vm_start_options>({"--cluster", "c", "vm", "start", "100", "101"}).vms.size() == 2);
  CHECK(command_of<vm_stop_options>({"--cluster", "c", "vm", "stop", "100"}).vms.size() == 1);
  CHECK_FALSE(command_of<vm_list_options>({"--cluster", "c", "vm", "list"}).node);
  CHECK(command_of<plan_options>({"--cluster", "c", "plan", "n1"}).to.empty());
  CHECK(command_of<run_options>({"run", "s.json", "--keep", "d"}).keep == "d");
  CHECK_FALSE(command_of<run_options>({"run", "s.json"}).channels);
  CHECK(command_of<run_options>({"run", "s.json", "--channels", "2"}).channels == 2U);
  const auto migrate =
    command_of<migrate_options>({"--cluster", "c", "migrate", "105", "n2", "--channels", "16"});
  CHECK(migrate.channels == 16U);
  const auto trust = command_of<node_trust_options>({"--cluster", "c", "node", "trust", "n1"});
  CHECK(trust.node == node_id{"n1"});
  CHECK_FALSE(trust.yes);
  CHECK(command_of<node_trust_options>({"--cluster", "c", "node", "trust", "n1", "--yes"}).yes);
  CHECK(command_of<node_check_options>({"--cluster", "c", "node", "check"}).nodes.empty());
  CHECK(
    command_of<node_check_options>({"--cluster", "c", "node", "check", "n1", "n2"}).nodes.size() ==
    2);
  command_of<version_options>({"version"});
}

TEST_CASE("what is wrong with the command line is said in one line", "[options]") {
  const std::vector<std::vector<const char*>> wrong{
    {},
    {"evacuat", "n1"},
    {"status"},
    {"--cluster", "c", "evacuate"},
    {"--cluster", "c", "evacuate", "n1", "--policy", "fast"},
    {"--cluster", "c", "evacuate", "n1", "--stream", "ssl"},
    {"--cluster", "c", "evacuate", "n1", "--max-streams", "0"},
    {"--cluster", "c", "evacuate", "n1", "--max-streams", "many"},
    {"--cluster", "c", "migrate", "7", "n2"},
    {"--cluster", "c", "migrate", "105"},
    {"--cluster", "c", "vm"},
    {"--cluster", "c", "vm", "start", "abc"},
    {"--cluster", "c", "status", "-o", "yaml"},
    {"run"},
    {"run", "s.json", "--metrics-linger", "long"},
    {"run", "s.json", "--world", "moon"},
    {"run", "s.json", "--policy", "every"},
    {"run", "s.json", "--policy", "all", "--lags", "soon"},
    {"run", "s.json", "--seeds", "0"},
    {"run", "s.json", "--seed", "-1"},
    {"run", "s.json", "--jobs", "1000"},
    {"--cluster"},
    {"run"},
    {"--cluster", "c", "status", "--no-such-flag"}};
  for (const auto& words : wrong) {
    const auto parsed = parse(words);
    REQUIRE(std::holds_alternative<printed_exit>(parsed));
    const auto& exit = std::get<printed_exit>(parsed);
    INFO(exit.text);
    CHECK(exit.is_error);
    CHECK(exit.text.substr(0, 8) == "drover: ");
    CHECK(std::count(exit.text.begin(), exit.text.end(), '\n') == 1);
  }
  const auto policy_error =
    std::get<printed_exit>(parse({"--cluster", "c", "evacuate", "n1", "--policy", "fast"}));
  CHECK(policy_error.text.find("check, nocheck, lock, early, claim, ticket") != std::string::npos);
}

TEST_CASE("help is printed and is no error", "[options]") {
  for (const auto& words : std::vector<std::vector<const char*>>{{"--help"}, {"--help-all"}}) {
    const auto exit = std::get<printed_exit>(parse(words));
    CHECK_FALSE(exit.is_error);
    CHECK(exit.text.find("evacuate") != std::string::npos);
  }
}

TEST_CASE("run takes a scenario with its world, seeds, policy and report", "[options]") {
  const auto plain = command_of<run_options>({"run", "s.json"});
  CHECK(plain.scenario == "s.json");
  CHECK_FALSE(plain.world.has_value());
  CHECK_FALSE(plain.how.has_value());
  CHECK_FALSE(plain.seed.has_value());
  CHECK_FALSE(plain.seeds.has_value());
  CHECK(plain.jobs == 1);
  CHECK_FALSE(plain.bless);
  const auto r = command_of<run_options>(
    {"run", "scenarios/storm", "--world", "sim", "--seed", "7", "--seeds", "2000", "--jobs", "2",
     "--policy", "early", "--report", "out"});
  CHECK(r.world == world_kind::sim);
  CHECK(r.seed == 7U);
  CHECK(r.seeds == 2000U);
  CHECK(r.jobs == 2);
  CHECK(r.one_policy() == policy::early);
  CHECK(r.comparison() == nullptr);
  CHECK(r.report == "out");
  CHECK(command_of<run_options>({"run", "s.json", "--bless"}).bless);
  CHECK(command_of<run_options>({"run", "s", "--world", "local"}).world == world_kind::local);
}

TEST_CASE("what only the simulated world has chooses it", "[options]") {
  for (const auto& words : std::vector<std::vector<const char*>>{
         {"run", "s.json", "--seed", "3"},
         {"run", "s.json", "--seeds", "10"},
         {"run", "s.json", "--jobs", "2"},
         {"run", "s.json", "--bless"}})
    CHECK(command_of<run_options>(words).world == world_kind::sim);
}

TEST_CASE("policy all compares, at the usual lags or at those given", "[options]") {
  using namespace std::chrono_literals;
  const auto usual = command_of<run_options>({"run", "s.json", "--policy", "all"});
  REQUIRE(usual.comparison() != nullptr);
  CHECK(usual.comparison()->lags.empty());
  CHECK_FALSE(usual.one_policy().has_value());
  const auto some =
    command_of<run_options>({"run", "s.json", "--policy", "all", "--lags", "0,10ms,1s"});
  REQUIRE(some.comparison() != nullptr);
  CHECK(some.comparison()->lags == std::vector<nanoseconds>{0ns, 10ms, 1s});
}

TEST_CASE("flags of a run that do not go together are told", "[options]") {
  struct clash {
    std::vector<const char*> words;
    std::string told;
  };
  const std::vector<clash> clashes{
    {{"--world", "local", "--seed", "1"}, "--seed belongs to the simulated world"},
    {{"--world", "local", "--seeds", "5"}, "--seeds belongs to the simulated world"},
    {{"--world", "local", "--jobs", "2"}, "--jobs belongs to the simulated world"},
    {{"--world", "local", "--bless"}, "--bless belongs to the simulated world"},
    {{"--world", "sim", "--keep", "d"},
     "--keep belongs to the local world; the simulated one has --report and --trace"},
    {{"--seeds", "5", "--metrics", "127.0.0.1:0"},
     "--metrics shows one run, or with --policy all each of them, but no --seeds"},
    {{"--seeds", "5", "--metrics-file", "a.prom"},
     "--metrics-file shows one run, or with --policy all each of them, but no --seeds"},
    {{"--seeds", "5", "--bless"}, "--bless writes the trace of one seed, not of --seeds"},
    {{"--seeds", "5", "--trace", "t"},
     "--trace writes one run; with --seeds, --report writes one file for each"},
    {{"--policy", "all", "--trace", "t"},
     "--trace writes one run; with --policy all, --report writes one file for each"},
    {{"--lags", "0,1s"}, "--lags belongs to --policy all"},
    {{"--policy", "all", "--seeds", "5"},
     "--policy all compares runs of one seed; it takes no --seeds"},
    {{"--policy", "all", "--bless"}, "--policy all compares runs of one seed; it takes no --bless"},
  };
  for (const auto& c : clashes) {
    auto words = c.words;
    words.insert(words.begin(), {"run", "s.json"});
    const auto parsed = parse(words);
    INFO(c.told);
    REQUIRE(std::holds_alternative<printed_exit>(parsed));
    CHECK(std::get<printed_exit>(parsed).text == "drover: " + c.told + "; see drover run --help\n");
    CHECK(std::get<printed_exit>(parsed).is_error);
  }
}

TEST_CASE("what was written down is read without a cluster file", "[options]") {
  CHECK(command_of<history_options>({"history"}).id.empty());
  CHECK(command_of<history_options>({"history", "last"}).id == "last");
  CHECK(
    command_of<show_options>({"show", "20261123-083646-evacuate-n1"}).id ==
    "20261123-083646-evacuate-n1");
  CHECK(std::holds_alternative<printed_exit>(parse({"show"})));
}

TEST_CASE("a run is paused, resumed, cancelled and waited for by its ID", "[options]") {
  CHECK(command_of<pause_options>({"pause", "last"}).id == "last");
  CHECK(command_of<resume_options>({"resume", "x", "--report", "d"}).report == "d");
  CHECK(command_of<cancel_options>({"cancel", "x"}).id == "x");
  CHECK(command_of<wait_options>({"wait", "x"}).id == "x");
  command_of<evacuations_options>({"evacuations"});
  for (const auto* command : {"pause", "resume", "cancel", "wait"})
    CHECK(std::holds_alternative<printed_exit>(parse({command})));
}

TEST_CASE("an evacuation goes to the background where it is asked to", "[options]") {
  const auto here = command_of<evacuate_options>({"--cluster", "c", "evacuate", "n1"});
  CHECK(here.place == run_place::here);
  CHECK_FALSE(here.tell_fd);
  const auto away = command_of<evacuate_options>({"--cluster", "c", "evacuate", "n1", "--detach"});
  CHECK(away.place == run_place::background);
  const auto parsed = parse({"--cluster", "c", "evacuate", "n1", "--in-background", "7"});
  CHECK(std::get<evacuate_options>(std::get<options>(parsed).command).tell_fd == 7);
  CHECK(std::get<options>(parsed).words.size() == 6);
}
