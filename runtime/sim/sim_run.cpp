#include "runtime/sim/sim_run.hpp"

#include "runtime/program/exposure.hpp"
#include "runtime/scenario/comparison.hpp"
#include "runtime/scenario/report_directory.hpp"
#include "runtime/scenario/verdict_text.hpp"
#include "runtime/sim/campaign.hpp"
#include "runtime/sim/golden_trace.hpp"
#include "runtime/sim/sim_player.hpp"
#include "runtime/sim/swarm.hpp"
#include "runtime/wire/trace_ndjson.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <utility>

namespace drover {
namespace {

/// Of a failed seed's trace, as many lines as a screen holds.
constexpr std::size_t last_lines = 40;
constexpr int interrupted_exit = 130; // As a shell tells of SIGINT.
/// A campaign that fails everywhere does not print everything.
constexpr std::size_t failures_told_max = 10;

/// Writes every event at once: a simulated world waits for nobody.
class ndjson_trace final : public trace_sink {
public:
  explicit ndjson_trace(const std::filesystem::path& path) : file_(path) {}
  void take(const trace_event& event) override { file_ << wire::to_ndjson(event) << '\n'; }
  bool close() {
    file_.close();
    return file_.good();
  }

private:
  std::ofstream file_;
};

class stopwatch {
public:
  run_cost cost_of(const scenario_file& played) const {
    return {
      vms_of(played), seconds(monotonic_now() - begun_), seconds(processor_time_used() - used_)};
  }

private:
  mono_time begun_ = monotonic_now();
  nanoseconds used_ = processor_time_used();
};

std::string tail_of(const std::string& text, std::size_t lines) {
  auto at = text.size();
  for (std::size_t n = 0; at > 0 && n <= lines; ++n)
    at = text.rfind('\n', at - 1) == std::string::npos ? 0 : text.rfind('\n', at - 1);
  return text.substr(at == 0 ? 0 : at + 1);
}

class sim_run {
public:
  sim_run(const options& o, const run_options& c) : options_(o), flags_(c) {}

  result<int> run_all(const std::vector<scenario_file>& scenarios) {
    if (!flags_.report.empty()) {
      auto opened = report_directory::open(flags_.report);
      if (!opened)
        return tl::unexpected(opened.error());
      report_ = std::move(*opened);
    }
    // Who serves somebody stays for a while and wants to be told to go; a simulated world itself
    // leaves nothing behind, so it may end at any step.
    std::optional<interrupts> signals;
    if (!flags_.shown.address.empty()) {
      signals.emplace();
      signals->on_signal([](unsigned) { std::_Exit(interrupted_exit); });
    }
    auto shown = exposure::open(flags_.shown);
    if (!shown)
      return tl::unexpected(shown.error());
    shown_ = std::move(*shown);
    several_ = scenarios.size() > 1;
    int worst = 0;
    for (const auto& scenario : scenarios) {
      auto code = run(scenario);
      if (!code)
        return code;
      worst = std::max(worst, *code);
    }
    std::fflush(stdout); // Whoever reads it does not wait for the metrics to go.
    if (signals)
      signals->on_signal({});
    if (shown_) {
      const auto closed = signals ? shown_->close(*signals) : shown_->close();
      if (!closed)
        return tl::unexpected(closed.error());
    }
    shown_.reset(); // Its server ends before the signals may end the program again.
    return worst;
  }

private:
  result<int> run(const scenario_file& scenario) {
    if (flags_.comparison())
      return run_every_policy(scenario);
    if (flags_.seeds.value_or(1) > 1)
      return run_seeds(scenario);
    return run_once(scenario);
  }

  std::uint64_t seed() const { return flags_.seed.value_or(1); }

  void print(const std::string& text) const { std::fputs(text.c_str(), stdout); }

  result<int> run_every_policy(const scenario_file& scenario) {
    auto rows = compare(
      flags_.comparison()->lags, [&](policy how, nanoseconds lag) -> result<comparison_row> {
        const auto one = with_lag(with_policy(drawn(scenario, seed()), how), lag);
        sim_play_settings play;
        play.seed = seed();
        play.trace = shown_ ? shown_->sink() : nullptr;
        const auto out = play_in_sim(one, play);
        return row_of(how, lag, one, out.played, out.wrong.size());
      });
    if (!rows)
      return tl::unexpected(rows.error());
    const comparison c{scenario.name, std::string{to_string(world_kind::sim)}, std::move(*rows)};
    if (report_)
      if (auto written = report_->write_comparison(c); !written)
        return tl::unexpected(written.error());
    print(options_.out == output_format::json ? to_json(c) : to_table(c));
    return 0;
  }

  result<int> run_seeds(const scenario_file& scenario) {
    campaign_settings settings;
    settings.first_seed = seed();
    settings.seeds = *flags_.seeds;
    if (scenario.seeds_max > 0)
      settings.seeds = std::min<std::uint64_t>(settings.seeds, scenario.seeds_max);
    settings.jobs = flags_.jobs;
    settings.how = flags_.one_policy();
    std::size_t told = 0;
    settings.failed = [&](const seed_report& r) {
      if (++told <= failures_told_max)
        tell_failure(scenario, r);
    };
    const auto sums = run_campaign(scenario, settings);
    if (!sums)
      return tl::unexpected(sums.error());
    if (told > failures_told_max)
      std::fprintf(stderr, "%zu more seeds failed\n", told - failures_told_max);
    if (report_)
      if (auto written = report_->write_result(
            {scenario.name, flags_.one_policy(), std::nullopt, std::nullopt},
            to_json(scenario, *sums));
          !written)
        return tl::unexpected(written.error());
    print(
      options_.out == output_format::json
        ? to_json(scenario, *sums)
        : fmt::format("{}\n{}", scenario.path.string(), to_table(*sums)));
    auto worst = seed_verdict::passed;
    for (const auto& [verdict, count] : sums->verdicts)
      worst = std::max(worst, verdict);
    return exit_code_of(worst);
  }

  void tell_failure(const scenario_file& scenario, const seed_report& r) const {
    std::fprintf(
      stderr, "%s: seed %llu: %s\n", scenario.path.c_str(), static_cast<unsigned long long>(r.seed),
      std::string{to_string(r.verdict)}.c_str());
    for (const auto& w : r.wrong)
      std::fprintf(stderr, "  %s\n", w.c_str());
    if (r.verdict != seed_verdict::crash && !r.wrong.empty() && r.steps > 0) {
      auto lines = std::make_shared<golden_trace>(event_queue::beginning);
      sim_play_settings play;
      play.seed = r.seed;
      play.trace = lines;
      play_in_sim(as_played(drawn(scenario, r.seed), flags_.one_policy()), play);
      std::fputs(tail_of(lines->text(), last_lines).c_str(), stderr);
    }
    const auto how =
      flags_.one_policy() ? " --policy " + std::string{to_string(*flags_.one_policy())} : "";
    std::fprintf(
      stderr, "again: drover --trace FILE run %s --world sim --seed %llu%s\n",
      scenario.path.c_str(), static_cast<unsigned long long>(r.seed), how.c_str());
  }

  result<int> run_once(const scenario_file& scenario) {
    const auto shaped = as_played(drawn(scenario, seed()), flags_.one_policy());
    auto sinks = std::make_shared<trace_fan>();
    auto lines = std::make_shared<golden_trace>(event_queue::beginning);
    if (shaped.expect.golden)
      sinks->add(lines);
    if (shown_)
      sinks->add(shown_->sink());
    std::vector<std::shared_ptr<ndjson_trace>> files;
    const run_key key{scenario.name, flags_.one_policy(), std::nullopt, seed()};
    if (!options_.trace_file.empty())
      files.push_back(std::make_shared<ndjson_trace>(options_.trace_file));
    auto history = std::make_shared<run_history>();
    if (report_) {
      files.push_back(std::make_shared<ndjson_trace>(report_->trace_path(key)));
      sinks->add(history);
    }
    for (const auto& f : files)
      sinks->add(f);
    sim_play_settings play;
    play.seed = seed();
    play.trace = sinks;
    if (shaped.expect.golden || !files.empty())
      play.detail = sim_detail::everything;
    std::vector<std::string> wrong_when_smaller;
    const auto smaller = play_smaller(shaped, play, wrong_when_smaller);
    const stopwatch watch;
    auto out = play_in_sim(shaped, play);
    const auto whole = watch.cost_of(shaped);
    out.wrong.insert(out.wrong.end(), wrong_when_smaller.begin(), wrong_when_smaller.end());
    for (const auto& f : files)
      if (!f->close())
        return fail(errc::retry, "the trace could not be written");
    if (shaped.expect.golden)
      if (auto compared = compare_golden(shaped, lines->text(), out.wrong); !compared)
        return tl::unexpected(compared.error());
    scenario_verdict verdict{out.played, out.wrong};
    if (smaller)
      verdict.cost = cost_comparison{*smaller, whole};
    if (report_) {
      auto written = report_->write_result(key, to_json(shaped, verdict));
      if (written)
        written = report_->write_run(key, shaped, *history);
      if (!written)
        return tl::unexpected(written.error());
    }
    print(
      options_.out == output_format::json ? to_json(shaped, verdict) : to_table(shaped, verdict));
    return code_of(out, verdict);
  }

  /// What a VM costs among fewer, where the scenario asks for it. Without a listener, but with the
  /// same detail.
  std::optional<run_cost> play_smaller(
    const scenario_file& scenario, sim_play_settings play, std::vector<std::string>& wrong) const {
    if (scenario.compare_vms == 0)
      return std::nullopt;
    play.trace = nullptr;
    const auto smaller = with_first_vms(scenario, scenario.compare_vms);
    const stopwatch watch;
    const auto out = play_in_sim(smaller, play);
    const auto cost = watch.cost_of(smaller);
    for (const auto& w : out.wrong)
      wrong.push_back("with " + std::to_string(cost.vms) + " VMs: " + w);
    return cost;
  }

  int code_of(const sim_outcome& out, const scenario_verdict& verdict) const {
    auto worst = seed_verdict::passed;
    for (const auto& v : out.violations)
      worst = std::max(
        worst, v.kind == violation_kind::safety ? seed_verdict::safety : seed_verdict::liveness);
    if (worst != seed_verdict::passed && !verdict.wrong.empty())
      return exit_code_of(worst);
    return several_ && verdict.wrong.empty() ? 0 : exit_code_of(verdict);
  }

  result<done> compare_golden(
    const scenario_file& scenario, const std::string& text, std::vector<std::string>& wrong) {
    const auto how = only_policy(scenario);
    auto path = scenario.path;
    path.replace_filename(
      scenario.name + "." + std::string{how ? to_string(*how) : "mixed"} + ".trace");
    if (flags_.bless) {
      std::ofstream{path} << text;
      return done{};
    }
    std::ifstream file{path};
    if (!file)
      return fail(
        errc::invalid, path.string() + ": there is no golden trace; --bless would write it");
    std::ostringstream golden;
    golden << file.rdbuf();
    if (const auto difference = first_difference(golden.str(), text); !difference.empty())
      wrong.push_back(path.string() + " differs, " + difference);
    return done{};
  }

  const options& options_;
  const run_options& flags_;
  std::shared_ptr<exposure> shown_;
  std::optional<report_directory> report_;
  bool several_ = false;
};

} // namespace

int run_in_sim(
  const options& o, const run_options& c, const std::vector<scenario_file>& scenarios) {
  const auto code = sim_run{o, c}.run_all(scenarios);
  if (code)
    return *code;
  std::fprintf(stderr, "drover: %s\n", to_string(code.error()).c_str());
  return 1;
}

} // namespace drover
