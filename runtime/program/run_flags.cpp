#include "runtime/program/run_flags.hpp"

#include "runtime/cluster/delay_text.hpp"

#include <sstream>

namespace drover {
namespace {

constexpr std::uint32_t seeds_max = 10'000'000;
constexpr std::uint32_t jobs_max = 256;
constexpr std::string_view every = "all";

/// "0,10ms,1s"; nullopt when one is not a time.
std::optional<std::vector<nanoseconds>> lags_of(const std::string& text) {
  std::vector<nanoseconds> lags;
  std::istringstream words{text};
  for (std::string word; std::getline(words, word, ',');) {
    const auto lag = parse_time_span(word);
    if (!lag)
      return std::nullopt;
    lags.push_back(*lag);
  }
  return lags;
}

CLI::Validator lags_check() {
  return CLI::Validator(
    [](const std::string& text) {
      return lags_of(text) ? std::string{} : "'" + text + "' is not a list of times like 0,10ms,1s";
    },
    "TIMES");
}

CLI::Validator time_check() {
  return CLI::Validator(
    [](const std::string& text) {
      return parse_time_span(text) ? std::string{} : "'" + text + "' is not a time like 30s";
    },
    "TIME");
}

CLI::Validator policy_or_all() {
  return CLI::Validator(
    [](const std::string& text) {
      return text == every || policy_from_string(text)
               ? std::string{}
               : "'" + text + "' is not a policy; it is one of " + std::string{policy_names()} +
                   ", or all";
    },
    "POLICY");
}

bool needs_simulation(const run_flags& raw) {
  return raw.seed > 0 || raw.seeds > 0 || raw.jobs > 1 || raw.bless;
}

std::string_view first_of_simulation(const run_flags& raw) {
  if (raw.seed > 0)
    return "--seed";
  if (raw.seeds > 0)
    return "--seeds";
  return raw.bless ? "--bless" : "--jobs";
}

} // namespace

void add_exposure_flags(CLI::App& app, exposure_flags& raw) {
  app.add_option("--metrics", raw.address, "serve Prometheus metrics and a live page at HOST:PORT")
    ->type_name("HOST:PORT");
  app
    .add_option(
      "--metrics-file", raw.file, "write the metrics there, for a textfile collector (*.prom)")
    ->type_name("FILE");
  app
    .add_option(
      "--metrics-token-file", raw.token_file,
      "who asks --metrics has to bring the token in there; needed beyond loopback")
    ->type_name("FILE");
  app
    .add_option(
      "--metrics-linger", raw.linger, "how long --metrics stays after the end, like 30s or 0 (30s)")
    ->check(time_check());
}

exposure_options exposure_options_of(const exposure_flags& raw) {
  exposure_options o{raw.address, raw.file, raw.token_file, linger_default};
  if (const auto linger = parse_time_span(raw.linger))
    o.linger = *linger;
  return o;
}

void add_run_flags(CLI::App& app, run_flags& raw) {
  app.add_option("SCENARIO", raw.scenario, "the scenario file, or a folder of them")->required();
  app
    .add_option("--world", raw.world, "sim or local (default: local where it can be played there)")
    ->check(CLI::IsMember({"sim", "local"}))
    ->type_name("WORLD");
  app.add_option("--seed", raw.seed, "the simulated world's seed, or the first of --seeds (1)")
    ->check(CLI::PositiveNumber)
    ->type_name("N");
  app.add_option("--seeds", raw.seeds, "play so many seeds, one after the other")
    ->check(CLI::Range(1U, seeds_max))
    ->type_name("N");
  app.add_option("--jobs", raw.jobs, "simulated worlds at a time (1)")
    ->check(CLI::Range(1U, jobs_max))
    ->type_name("N");
  app
    .add_option(
      "--policy", raw.how,
      std::string{policy_names()} + " (default: the scenario's); all = play each and compare")
    ->check(policy_or_all());
  app.add_option("--lags", raw.lags, "with --policy all: the store's lags, like 0,10ms,1s")
    ->check(lags_check());
  app.add_flag("--bless", raw.bless, "write the golden traces instead of comparing with them");
  app.add_option("--report", raw.report, "write results, comparison and traces there")
    ->type_name("DIR");
  app.add_option("--keep", raw.keep, "local world: keep logs, configs and the trace there")
    ->type_name("DIR");
  add_exposure_flags(app, raw.shown);
}

std::string objection_to(const run_flags& raw, const std::string& trace_file) {
  const bool several = raw.seeds > 1;
  if (raw.world == "local" && needs_simulation(raw))
    return std::string{first_of_simulation(raw)} + " belongs to the simulated world";
  const bool simulated = raw.world == "sim" || needs_simulation(raw);
  if (simulated && !raw.keep.empty())
    return "--keep belongs to the local world; the simulated one has --report and --trace";
  if (several && !raw.shown.address.empty())
    return "--metrics shows one run, or with --policy all each of them, but no --seeds";
  if (several && !raw.shown.file.empty())
    return "--metrics-file shows one run, or with --policy all each of them, but no --seeds";
  if (raw.bless && several)
    return "--bless writes the trace of one seed, not of --seeds";
  if (!trace_file.empty() && several)
    return "--trace writes one run; with --seeds, --report writes one file for each";
  if (!trace_file.empty() && raw.how == every)
    return "--trace writes one run; with --policy all, --report writes one file for each";
  if (!raw.lags.empty() && raw.how != every)
    return "--lags belongs to --policy all";
  if (raw.how == every && (several || raw.bless))
    return std::string{"--policy all compares runs of one seed; it takes no "} +
           (several ? "--seeds" : "--bless");
  return {};
}

run_options run_options_of(const run_flags& raw) {
  run_options o;
  o.scenario = raw.scenario;
  o.keep = raw.keep;
  o.shown = exposure_options_of(raw.shown);
  if (raw.how == every)
    o.how = every_policy{lags_of(raw.lags).value_or(std::vector<nanoseconds>{})};
  else if (const auto one = policy_from_string(raw.how))
    o.how = *one;
  o.world =
    needs_simulation(raw) ? std::optional{world_kind::sim} : world_kind_from_string(raw.world);
  if (raw.seed > 0)
    o.seed = raw.seed;
  if (raw.seeds > 0)
    o.seeds = raw.seeds;
  o.jobs = raw.jobs;
  o.bless = raw.bless;
  o.report = raw.report;
  o.stream = stream_kind_from_string(raw.stream);
  if (raw.channels > 0)
    o.channels = raw.channels;
  return o;
}

} // namespace drover
