#include "runtime/sim/golden_trace.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>
#include <type_traits>

namespace drover {
namespace {

/// "n1  text": who, in a column of its own.
std::string by(const std::string& who, const std::string& text) {
  return fmt::format("{:<10} {}", who, text);
}

std::string vm(vm_id id) { return "VM " + to_string(id); }

std::string line_of(const phase_changed& e) {
  return by(
    "controller",
    fmt::format("{} epoch {}: {} -> {}", vm(e.vm), to_string(e.number), e.from, e.to));
}
std::string line_of(const message_carried& e) {
  if (e.what == "asked")
    return by(e.node.value, "is asked " + e.method);
  return by(
    e.node.value, (e.what == "answered" ? "has answered " : "has REFUSED ") + e.method +
                    (e.text.empty() ? "" : ": " + e.text));
}
std::string line_of(const machine_changed& e) {
  return by(e.node.value, fmt::format("QEMU of {} {}", vm(e.vm), e.state));
}
std::string line_of(const view_changed& e) {
  return by(e.node.value, fmt::format("view shows {} at {}", vm(e.vm), e.owner.value));
}
std::string line_of(const stream_narrowed& e) {
  return by(e.node.value, fmt::format("{} of {} channels for {}", e.channels, e.asked, vm(e.vm)));
}

std::string line_of(const race_met& e) {
  return by(
    e.node.value,
    fmt::format("RACE: the resume of {} came before the view showed it here: {}", vm(e.vm), e.end));
}
std::string line_of(const migration_ended& e) {
  auto text = fmt::format("{} {}", vm(e.vm), e.result);
  if (e.pause_s)
    text += fmt::format(", pause {:.3f} ms", *e.pause_s * 1000);
  if (e.pause_unknown)
    text += ", no pause is told: " + *e.pause_unknown;
  return by("controller", text + (e.reason.empty() ? "" : ": " + e.reason));
}
std::string line_of(const scenario_acted& e) {
  return by("scenario", e.action + (e.detail.empty() ? "" : " " + e.detail));
}
std::string line_of(const retried& e) {
  return by(e.node.value, "again: " + e.method + ": " + e.reason);
}
std::string line_of(const link_changed& e) {
  return by(e.node.value, "link " + e.state + (e.reason.empty() ? "" : ": " + e.reason));
}
std::string line_of(const remark& e) { return by("note", e.text); }

/// Events that other lines tell better.
template <class Event>
constexpr bool is_told =
  !std::is_same_v<Event, pause_mark> && !std::is_same_v<Event, stream_moved> &&
  !std::is_same_v<Event, barrier_passed> && !std::is_same_v<Event, permits_granted> &&
  !std::is_same_v<Event, evacuation_started> && !std::is_same_v<Event, evacuation_ended> &&
  !std::is_same_v<Event, node_listed> && !std::is_same_v<Event, migration_planned> &&
  !std::is_same_v<Event, node_answered> && !std::is_same_v<Event, permits_counted> &&
  !std::is_same_v<Event, actors_sampled> && !std::is_same_v<Event, vm_left_out>;

} // namespace

void golden_trace::take(const trace_event& event) {
  std::visit(
    [&](const auto& e) {
      using kind = std::remove_cvref_t<decltype(e)>;
      if constexpr (std::is_same_v<kind, store_operation>) {
        const auto what =
          fmt::format("store {}{}", e.operation, e.vm.value == 0 ? "" : " of " + vm(e.vm));
        add(e.begin, by(e.node.value, what + " begins"));
        add(e.end, by(e.node.value, what + (e.ok ? " done" : " FAILED")));
      } else if constexpr (is_told<kind>) {
        add(event.at, line_of(e));
      }
    },
    event.body);
}

std::string golden_trace::text() const {
  auto sorted = lines_;
  std::stable_sort(
    sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (const auto& [at, line] : sorted)
    text += fmt::format("{:>12.3f} ms  {}\n", seconds(at - begin_) * 1000, line);
  return text;
}

std::string first_difference(const std::string& expected, const std::string& found) {
  std::istringstream left{expected};
  std::istringstream right{found};
  for (std::size_t number = 1;; ++number) {
    std::string a;
    std::string b;
    const bool more_a = static_cast<bool>(std::getline(left, a));
    const bool more_b = static_cast<bool>(std::getline(right, b));
    if (!more_a && !more_b)
      return {};
    if (a != b || more_a != more_b)
      return fmt::format(
        "line {}:\n  expected: {}\n  found:    {}", number, more_a ? a : "(the end)",
        more_b ? b : "(the end)");
  }
}

} // namespace drover
