#include "runtime/program/progress.hpp"

#include "runtime/cluster/byte_size.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace drover {
namespace {

constexpr std::uint32_t bar_cells = 24;
constexpr std::chrono::milliseconds redraw_interval{100};
/// More targets than a screen should give away to them are summed up in the last row only.
constexpr std::size_t targets_max = 12;

constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view plain = "\x1b[0m";
constexpr std::string_view clear_to_end_of_line = "\x1b[K";
constexpr std::string_view clear_below = "\x1b[J";

std::string coloured(std::string_view text, std::string_view how, colour_use use) {
  if (use == colour_use::none || text.empty())
    return std::string{text};
  return std::string{how} + std::string{text} + std::string{plain};
}

} // namespace

void progress_model::plan(const migration_planned& e) {
  auto& vm = vms_[e.vm];
  if (vm.ended) // The same VM is to move once more.
    --(vm.failed ? stayed_ : moved_);
  vm = {e.target, e.memory_bytes, e.memory_bytes, false, false, false};
}

progress_model::entry* progress_model::under_way(vm_id vm) {
  const auto found = vms_.find(vm);
  return found == vms_.end() || found->second.ended ? nullptr : &found->second;
}

bool progress_model::take(const trace_event& event) {
  if (const auto* planned = std::get_if<migration_planned>(&event.body)) {
    plan(*planned);
    return false; // There is something to show when the first one begins.
  }
  if (const auto* p = std::get_if<phase_changed>(&event.body)) {
    auto* vm = under_way(p->vm);
    if (!vm)
      return false;
    if (!begun_)
      begun_ = event.at;
    vm->moving = p->to != "waiting" && p->to != "ended";
    return true;
  }
  if (const auto* s = std::get_if<stream_moved>(&event.body)) {
    auto* vm = under_way(s->vm);
    if (!vm)
      return false;
    vm->left = std::min(vm->bytes, s->remaining_bytes);
    return true;
  }
  if (const auto* e = std::get_if<migration_ended>(&event.body)) {
    auto* vm = under_way(e->vm);
    if (!vm)
      return false;
    const bool failed = e->result != "moved";
    *vm = {vm->target, vm->bytes, 0, false, true, failed};
    ++(failed ? stayed_ : moved_);
    return true;
  }
  return false;
}

std::uint32_t progress_model::moving() const {
  return static_cast<std::uint32_t>(
    std::count_if(vms_.begin(), vms_.end(), [](const auto& v) { return v.second.moving; }));
}

std::uint64_t progress_model::bytes_left() const {
  std::uint64_t left = 0;
  for (const auto& [vm, e] : vms_)
    left += e.left;
  return left;
}

std::optional<double> progress_model::rate(wall_time now) const {
  std::uint64_t bytes = 0;
  for (const auto& [vm, e] : vms_)
    bytes += e.bytes;
  const auto left = bytes_left();
  if (!begun_ || now <= *begun_ || left >= bytes || left == 0)
    return std::nullopt;
  return static_cast<double>(bytes - left) / seconds(now - *begun_);
}

std::optional<double> progress_model::eta_s(wall_time now) const {
  const auto per_s = rate(now);
  return per_s ? std::optional{static_cast<double>(bytes_left()) / *per_s} : std::nullopt;
}

progress_row progress_model::sum(wall_time now) const {
  progress_row row{"all", moved_ + stayed_, all(), stayed_, {}};
  row.text = fmt::format("{} of {}", moved_, all());
  if (const auto eta = eta_s(now))
    row.text += fmt::format(
      ", ETA {:.0f} s at {}/s so far", *eta,
      format_byte_size(static_cast<std::uint64_t>(*rate(now))));
  // What a narrow terminal has no room for stands last.
  row.text += fmt::format(
    ", {} moving, {} waiting, {} stayed, {} left", moving(), waiting(), stayed_,
    format_byte_size(bytes_left()));
  return row;
}

std::vector<progress_row> progress_model::rows(wall_time now) const {
  std::map<node_id, progress_row> targets;
  std::map<node_id, std::uint32_t> moving_to;
  for (const auto& [vm, e] : vms_) {
    auto& row = targets[e.target];
    row.label = e.target.value;
    ++row.all;
    row.done += e.ended ? 1 : 0;
    row.failed += e.failed ? 1 : 0;
    moving_to[e.target] += e.moving ? 1 : 0;
  }
  std::vector<progress_row> all_rows;
  if (targets.size() <= targets_max)
    for (auto& [node, row] : targets) {
      row.text = fmt::format("{} of {}", row.done - row.failed, row.all);
      if (moving_to[node] > 0)
        row.text += fmt::format(", {} on the way", moving_to[node]);
      if (row.failed > 0)
        row.text += fmt::format(", {} stayed", row.failed);
      all_rows.push_back(row);
    }
  all_rows.push_back(sum(now));
  return all_rows;
}

progress_look progress_look_of(std::FILE* stream) {
  const char* term = std::getenv("TERM");
  const char* no_colour = std::getenv("NO_COLOR");
  const bool dumb = term == nullptr || std::strcmp(term, "dumb") == 0;
  progress_look look;
  if (isatty(fileno(stream)) == 0 || dumb)
    return look;
  look.style = progress_style::terminal;
  if (no_colour == nullptr || *no_colour == '\0')
    look.colours = colour_use::some;
  winsize window{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
    look.columns = window.ws_col;
  return look;
}

std::string draw_row(
  const progress_row& row, std::uint32_t label_width, const progress_look& look) {
  const auto cells = [&row](std::uint32_t count) {
    return row.all == 0 ? 0 : count * bar_cells / row.all;
  };
  const auto done = cells(row.done);
  const auto failed = std::min(done, row.failed == 0 ? 0U : std::max(1U, cells(row.failed)));
  const auto label = fmt::format("{:<{}} ", row.label, label_width);
  // The last column stays free: some terminals go to the next line when it is written.
  const auto taken = label.size() + bar_cells + 3;
  const auto room = look.columns > taken + 1 ? look.columns - taken - 1 : 0;
  return label + "[" + coloured(std::string(done - failed, '#'), green, look.colours) +
         coloured(std::string(failed, '!'), red, look.colours) +
         std::string(bar_cells - done, '.') + "] " + row.text.substr(0, room);
}

void progress_view::take(const trace_event& event) {
  if (look_.style == progress_style::none)
    return;
  const std::lock_guard guard{mutex_};
  if (const auto* narrowed = std::get_if<stream_narrowed>(&event.body))
    tell_narrowed(*narrowed);
  if (!model_.take(event))
    return;
  const auto* ended = std::get_if<migration_ended>(&event.body);
  if (look_.style == progress_style::plain) {
    if (ended != nullptr)
      write(told(*ended));
    return;
  }
  const bool failed = ended != nullptr && ended->result != "moved";
  const bool all_ended = model_.moved() + model_.stayed() == model_.all();
  if (!failed && !all_ended && drawn_at_ && event.at - *drawn_at_ < redraw_interval)
    return;
  drawn_at_ = event.at;
  // Everything in one write, each line over the one that stands there: nothing is seen half drawn.
  if (failed) {
    auto text = erased() + coloured(told(*ended), red, look_.colours);
    write(text + drawn(event.at));
  } else {
    write(drawn(event.at));
  }
}

std::string progress_view::told(const migration_ended& e) const {
  const auto pause =
    e.pause_s ? fmt::format(", pause {:.2f} ms", *e.pause_s * 1000) : std::string{};
  const auto why = e.reason.empty() ? std::string{} : ": " + e.reason;
  return fmt::format(
    "VM {} {} -> {}: {}{}{} ({} of {})\n", e.vm.value, e.source.value, e.target.value, e.result,
    pause, why, model_.moved() + model_.stayed(), model_.all());
}

/// Once for a node: it is as true of every VM that follows.
void progress_view::tell_narrowed(const stream_narrowed& e) {
  if (!narrow_.insert(e.node).second)
    return;
  const auto instead = e.channels > 1 ? fmt::format("{} channels", e.channels) : "one stream";
  const bool stands = lines_ > 0;
  const auto text = fmt::format(
    "{}{} cannot do {} channels: memory goes in {} (VM {} and what follows)\n", erased(),
    e.node.value, e.asked, instead, e.vm.value);
  write(stands && drawn_at_ ? text + drawn(*drawn_at_) : text);
}

std::string progress_view::drawn(wall_time now) {
  const auto rows = model_.rows(now);
  std::size_t label_width = 0;
  for (const auto& row : rows)
    label_width = std::max(label_width, row.label.size());
  std::string text = rows.size() < lines_ ? erased() : std::string{};
  if (lines_ > 0)
    text += fmt::format("\x1b[{}A", lines_);
  for (const auto& row : rows) {
    text += draw_row(row, static_cast<std::uint32_t>(label_width), look_);
    text += std::string{clear_to_end_of_line} + "\n";
  }
  lines_ = rows.size();
  return text;
}

std::string progress_view::erased() {
  if (lines_ == 0)
    return {};
  auto text = fmt::format("\x1b[{}A\r{}", lines_, clear_below);
  lines_ = 0;
  return text;
}

void progress_view::write(const std::string& text) {
  std::fputs(text.c_str(), stream_);
  std::fflush(stream_);
}

void progress_view::end() {
  const std::lock_guard guard{mutex_};
  if (look_.style == progress_style::terminal)
    write(erased());
}

} // namespace drover
