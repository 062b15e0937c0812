#include "runtime/scenario/local_run.hpp"

#include "runtime/scenario/comparison.hpp"
#include "runtime/scenario/report_directory.hpp"
#include "runtime/scenario/scenario_player.hpp"

#include <cstdio>
#include <utility>

namespace drover {
namespace {

constexpr int passed = static_cast<int>(outcome_code::all_moved);
constexpr int not_passed = static_cast<int>(outcome_code::usage_or_internal);

class local_run {
public:
  local_run(const options& o, const run_options& c) : options_(o), flags_(c) {}

  result<int> play_all(const std::vector<scenario_file>& scenarios) {
    if (!flags_.report.empty()) {
      auto opened = report_directory::open(flags_.report);
      if (!opened)
        return tl::unexpected(opened.error());
      report_ = std::move(*opened);
    }
    auto shown = exposure::open(flags_.shown);
    if (!shown)
      return tl::unexpected(shown.error());
    shown_ = std::move(*shown);
    several_ = scenarios.size() > 1 || flags_.comparison() != nullptr;
    std::vector<std::string> texts;
    int code = passed;
    for (const auto& scenario : scenarios) {
      auto one = flags_.comparison() ? play_every_policy(scenario, texts)
                                     : play_once(as_played(scenario, flags_.one_policy()), texts);
      if (!one)
        return one;
      code = code == passed ? *one : scenarios.size() > 1 ? not_passed : code;
    }
    print(texts, scenarios.size());
    if (shown_)
      if (auto closed = shown_->close(signals_); !closed)
        return tl::unexpected(closed.error());
    return code;
  }

private:
  /// A single scenario's JSON is an object, a folder's a list of them.
  void print(const std::vector<std::string>& texts, std::size_t scenarios) const {
    const bool list = options_.out == output_format::json && scenarios > 1;
    std::string whole;
    for (const auto& text : texts)
      whole += (whole.empty() ? "" : list ? ",\n" : "\n") + text;
    std::fputs((list ? "[\n" + whole + "]\n" : whole).c_str(), stdout);
    std::fflush(stdout); // Whoever reads it does not wait for the metrics to go.
  }

  result<int> play_once(const scenario_file& scenario, std::vector<std::string>& texts) {
    const run_key key{scenario.name, flags_.one_policy(), std::nullopt, std::nullopt};
    auto verdict = play(scenario, key);
    if (!verdict)
      return tl::unexpected(verdict.error());
    texts.push_back(
      options_.out == output_format::json ? to_json(scenario, *verdict)
                                          : to_table(scenario, *verdict));
    const bool met = several_ && verdict->wrong.empty();
    return met ? passed : exit_code_of(*verdict);
  }

  result<int> play_every_policy(const scenario_file& scenario, std::vector<std::string>& texts) {
    auto rows = compare(
      flags_.comparison()->lags, [&](policy how, nanoseconds lag) -> result<comparison_row> {
        const auto one = with_lag(with_policy(scenario, how), lag);
        auto verdict = play(one, {scenario.name, how, lag, std::nullopt});
        if (!verdict)
          return tl::unexpected(verdict.error());
        if (signals_.count() > 0)
          return fail(errc::refused, "interrupted");
        return row_of(how, lag, one, verdict->played, verdict->wrong.size());
      });
    if (!rows)
      return tl::unexpected(rows.error());
    const comparison c{scenario.name, std::string{to_string(world_kind::local)}, std::move(*rows)};
    if (report_)
      if (auto written = report_->write_comparison(c); !written)
        return tl::unexpected(written.error());
    texts.push_back(options_.out == output_format::json ? to_json(c) : to_table(c));
    return passed;
  }

  result<scenario_verdict> play(const scenario_file& scenario, const run_key& key) {
    auto watching = observers::open(options_.trace_file, shown_, progress_look_of(stderr));
    if (!watching)
      return tl::unexpected(watching.error());
    std::fprintf(stderr, "%s: %s\n", to_string(key).c_str(), scenario.why.c_str());
    std::shared_ptr<wire::trace_file> trace;
    auto history = std::make_shared<run_history>();
    if (report_) {
      auto opened = wire::trace_file::open(report_->trace_path(key));
      if (!opened)
        return tl::unexpected(opened.error());
      trace = *opened;
      (*watching)->add_beside(trace);
      (*watching)->add_beside(history);
    }
    scenario_player player{scenario, **watching, signals_};
    auto verdict = player.play(keep_of(key));
    auto closed = (*watching)->close();
    if (closed && trace)
      closed = trace->close();
    if (closed && report_ && verdict)
      closed = report_->write_result(key, to_json(scenario, *verdict));
    if (closed && report_ && verdict)
      closed = report_->write_run(key, scenario, *history);
    if (verdict && !closed)
      return tl::unexpected(closed.error());
    return verdict;
  }

  std::filesystem::path keep_of(const run_key& key) const {
    if (flags_.keep.empty() || !several_)
      return flags_.keep;
    return std::filesystem::path{flags_.keep} / to_string(key);
  }

  const options& options_;
  const run_options& flags_;
  interrupts signals_;
  std::shared_ptr<exposure> shown_;
  std::optional<report_directory> report_;
  bool several_ = false;
};

} // namespace

int run_in_local_world(
  const options& o, const run_options& c, const std::vector<scenario_file>& scenarios) {
  local_run run{o, c};
  const auto code = run.play_all(scenarios);
  if (code)
    return *code;
  std::fprintf(stderr, "drover: %s\n", to_string(code.error()).c_str());
  return not_passed;
}

} // namespace drover
