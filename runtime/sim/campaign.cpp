#include "runtime/sim/campaign.hpp"

#include "runtime/base/time.hpp"
#include "runtime/sim/seed_process.hpp"
#include "runtime/sim/sim_player.hpp"
#include "runtime/sim/swarm.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// A seed takes some hundredths of a second; who is silent for so long hangs.
constexpr auto silence_max = 300s;
constexpr auto look = 1s;

seed_verdict verdict_of(const sim_outcome& out) {
  auto worst = out.wrong.empty() ? seed_verdict::passed : seed_verdict::expectation;
  for (const auto& v : out.violations)
    worst = std::max(
      worst, v.kind == violation_kind::safety ? seed_verdict::safety : seed_verdict::liveness);
  return worst;
}

void add(campaign_sums& sums, const seed_report& one) {
  ++sums.seeds;
  sums.moved += one.moved;
  sums.needs_operator += one.needs_operator;
  sums.lost_to_faults += one.lost_to_faults;
  sums.steps += one.steps;
  sums.virtual_s += one.virtual_s;
  for (const auto& [word, count] : one.injected)
    sums.injected[word] += count;
  for (const auto& [word, stages] : one.met)
    for (const auto& [stage, count] : stages)
      sums.met[word][stage] += count;
  ++sums.verdicts[one.verdict];
}

/// The processes of a campaign and what they have told so far.
class campaign {
public:
  campaign(const scenario_file& scenario, const campaign_settings& settings)
    : scenario_(scenario), settings_(settings) {}

  result<campaign_sums> run() {
    const auto begun = monotonic_now();
    const auto jobs =
      std::max<std::uint64_t>(1, std::min<std::uint64_t>(settings_.jobs, settings_.seeds));
    for (std::uint64_t job = 0; job < jobs; ++job)
      if (auto started = start(settings_.first_seed + job, jobs); !started)
        return tl::unexpected(started.error());
    while (!running_.empty())
      if (auto turned = turn(); !turned)
        return tl::unexpected(turned.error());
    sums_.wall_s = seconds(monotonic_now() - begun);
    return std::move(sums_);
  }

private:
  struct worker {
    seed_process process;
    std::uint64_t stride = 1;
    mono_time heard;
  };

  std::uint64_t end() const { return settings_.first_seed + settings_.seeds; }

  result<done> start(std::uint64_t first, std::uint64_t stride) {
    if (first >= end())
      return done{};
    auto process = seed_process::start([this, first, stride](const seed_process::teller& tell) {
      for (auto seed = first; seed < end(); seed += stride) {
        tell.begins(seed);
        tell.ended(play_seed(scenario_, seed, settings_.how));
      }
    });
    if (!process)
      return tl::unexpected(process.error());
    running_.push_back({std::move(*process), stride, monotonic_now()});
    return done{};
  }

  result<done> turn() {
    std::vector<pollfd> fds;
    for (const auto& w : running_)
      fds.push_back({w.process.fd(), POLLIN, 0});
    ::poll(fds.data(), fds.size(), static_cast<int>(milliseconds{look}.count()));
    for (std::size_t i = running_.size(); i-- > 0;) {
      auto& w = running_[i];
      if (fds[i].revents != 0) {
        w.heard = monotonic_now();
        for (const auto& report : w.process.read())
          take(report);
      }
      const bool silent = monotonic_now() - w.heard > silence_max;
      if (silent)
        w.process.kill();
      if (!w.process.has_ended())
        continue;
      const auto broken = w.process.broken_seed();
      const auto stride = w.stride;
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      if (!broken)
        continue;
      seed_report report;
      report.seed = *broken;
      report.verdict = silent ? seed_verdict::liveness : seed_verdict::crash;
      report.wrong = {
        silent ? "it did not come to an end" : "the program stopped; its last words are above"};
      take(report);
      if (auto next = start(*broken + stride, stride); !next)
        return next;
    }
    return done{};
  }

  void take(const seed_report& report) {
    add(sums_, report);
    if (report.verdict != seed_verdict::passed && settings_.failed)
      settings_.failed(report);
  }

  const scenario_file& scenario_;
  const campaign_settings& settings_;
  std::vector<worker> running_;
  campaign_sums sums_;
};

} // namespace

std::string_view to_string(seed_verdict v) {
  switch (v) {
  case seed_verdict::passed:
    return "passed";
  case seed_verdict::expectation:
    return "expectation not met";
  case seed_verdict::liveness:
    return "liveness";
  case seed_verdict::safety:
    return "safety";
  case seed_verdict::crash:
    break;
  }
  return "crash";
}

int exit_code_of(seed_verdict v) {
  switch (v) {
  case seed_verdict::passed:
    return 0;
  case seed_verdict::expectation:
    return 1;
  case seed_verdict::safety:
    return 10;
  case seed_verdict::liveness:
    return 11;
  case seed_verdict::crash:
    break;
  }
  return 12;
}

seed_report play_seed(
  const scenario_file& scenario, std::uint64_t seed, std::optional<policy> how) {
  const auto shaped = as_played(drawn(scenario, seed), how);
  sim_play_settings play;
  play.seed = seed;
  const auto out = play_in_sim(shaped, play);
  seed_report report;
  report.seed = seed;
  report.verdict = verdict_of(out);
  report.wrong = out.wrong;
  report.moved = out.played.result.moved;
  report.needs_operator = out.needs_operator.size();
  report.lost_to_faults = out.lost_to_faults;
  report.steps = out.steps;
  report.virtual_s = out.virtual_s;
  report.injected = out.injected;
  report.met = out.met;
  return report;
}

result<campaign_sums> run_campaign(
  const scenario_file& scenario, const campaign_settings& settings) {
  return campaign{scenario, settings}.run();
}

std::string to_table(const campaign_sums& sums) {
  std::string text = fmt::format(
    "{} seeds in {:.1f} s: {:.1f} seeds/s, {:.0f} s of virtual time, {} steps\n", sums.seeds,
    sums.wall_s, sums.wall_s > 0 ? static_cast<double>(sums.seeds) / sums.wall_s : 0.0,
    sums.virtual_s, sums.steps);
  text += fmt::format(
    "{} VMs moved, {} need an operator, {} were destroyed by a fault\n", sums.moved,
    sums.needs_operator, sums.lost_to_faults);
  if (!sums.injected.empty())
    text += fmt::format(
      "{:<22} {:>9} {:>14} {:>10} {:>8} {:>8} {:>9}\n", "fault", "injected", "before_stream",
      "streaming", "window", "after", "back_out");
  for (const auto& [word, count] : sums.injected) {
    const auto found = sums.met.find(word);
    const auto met = [&](const char* stage) -> std::uint64_t {
      if (found == sums.met.end() || !found->second.contains(stage))
        return 0;
      return found->second.at(stage);
    };
    text += fmt::format(
      "{:<22} {:>9} {:>14} {:>10} {:>8} {:>8} {:>9}\n", word, count, met("before_stream"),
      met("streaming"), met("window"), met("after"), met("back_out"));
  }
  for (const auto& [verdict, count] : sums.verdicts)
    text += fmt::format("{:>9}  {}\n", count, to_string(verdict));
  return text;
}

std::string to_json(const scenario_file& scenario, const campaign_sums& sums) {
  nlohmann::ordered_json whole{
    {"scenario", scenario.name},
    {"seeds", sums.seeds},
    {"wall_s", sums.wall_s},
    {"virtual_s", sums.virtual_s},
    {"steps", sums.steps},
    {"moved", sums.moved},
    {"needs_operator", sums.needs_operator},
    {"lost_to_faults", sums.lost_to_faults}};
  whole["faults"] = sums.injected;
  whole["met"] = sums.met;
  for (const auto& [verdict, count] : sums.verdicts)
    whole["verdicts"][std::string{to_string(verdict)}] = count;
  return whole.dump(2) + "\n";
}

} // namespace drover
