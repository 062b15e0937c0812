#include "runtime/program/progress.hpp"

#include "runtime/cluster/byte_size.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

namespace drover {
namespace {

constexpr std::uint32_t bar_cells = 24;
constexpr std::chrono::milliseconds redraw_interval{100};

} // namespace

void progress_model::expect(vm_id vm, std::uint64_t bytes) {
  vms_[vm] = {bytes, bytes, false, false};
}

bool progress_model::take(const trace_event& event) {
  if (const auto* p = std::get_if<phase_changed>(&event.body)) {
    auto found = vms_.find(p->vm);
    if (found == vms_.end() || found->second.ended)
      return false;
    if (!begun_)
      begun_ = event.at;
    found->second.moving = p->to != "waiting" && p->to != "ended";
    return true;
  }
  if (const auto* s = std::get_if<stream_moved>(&event.body)) {
    auto found = vms_.find(s->vm);
    if (found == vms_.end() || found->second.ended)
      return false;
    found->second.left = std::min(found->second.bytes, s->remaining_bytes);
    return true;
  }
  if (const auto* e = std::get_if<migration_ended>(&event.body)) {
    auto found = vms_.find(e->vm);
    if (found == vms_.end() || found->second.ended)
      return false;
    found->second = {found->second.bytes, 0, false, true};
    ++(e->result == "moved" ? moved_ : stayed_);
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

std::optional<double> progress_model::eta_s(wall_time now) const {
  std::uint64_t bytes = 0;
  for (const auto& [vm, e] : vms_)
    bytes += e.bytes;
  const auto left = bytes_left();
  if (!begun_ || now <= *begun_ || left >= bytes || left == 0)
    return std::nullopt;
  const double done_per_s = static_cast<double>(bytes - left) / seconds(now - *begun_);
  return static_cast<double>(left) / done_per_s;
}

std::string progress_model::line(wall_time now) const {
  const auto ended = moved_ + stayed_;
  const auto cells = all() == 0 ? 0 : ended * bar_cells / all();
  const auto eta = eta_s(now);
  return fmt::format(
    "[{}{}] {} moved, {} moving, {} waiting, {} stayed, {} left{}", std::string(cells, '#'),
    std::string(bar_cells - cells, '.'), moved_, moving(), waiting(), stayed_,
    format_byte_size(bytes_left()),
    eta ? fmt::format(", ETA {:.0f} s at this rate", *eta) : std::string{});
}

progress_style progress_style_of(std::FILE* stream) {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::strcmp(term, "dumb") == 0;
  return isatty(fileno(stream)) != 0 && !dumb ? progress_style::terminal : progress_style::plain;
}

void progress_view::expect(vm_id vm, std::uint64_t bytes) {
  const std::lock_guard guard{mutex_};
  model_.expect(vm, bytes);
}

void progress_view::take(const trace_event& event) {
  if (style_ == progress_style::none)
    return;
  const std::lock_guard guard{mutex_};
  if (const auto* narrowed = std::get_if<stream_narrowed>(&event.body))
    print_narrowed(*narrowed);
  if (!model_.take(event))
    return;
  const auto* ended = std::get_if<migration_ended>(&event.body);
  if (style_ == progress_style::plain) {
    if (ended != nullptr)
      print_ended(*ended);
    return;
  }
  if (ended != nullptr && ended->result != "moved")
    print_ended(*ended);
  draw(event.at);
}

void progress_view::print_ended(const migration_ended& e) {
  if (style_ == progress_style::terminal)
    std::fputs("\r\x1b[2K", stream_);
  const auto pause =
    e.pause_s ? fmt::format(", pause {:.2f} ms", *e.pause_s * 1000) : std::string{};
  const auto why = e.reason.empty() ? std::string{} : ": " + e.reason;
  const auto text = fmt::format(
    "VM {} {} -> {}: {}{}{} ({} of {})\n", e.vm.value, e.source.value, e.target.value, e.result,
    pause, why, model_.moved() + model_.stayed(), model_.all());
  std::fputs(text.c_str(), stream_);
  std::fflush(stream_);
}

/// Once for a node: it is as true of every VM that follows.
void progress_view::print_narrowed(const stream_narrowed& e) {
  if (!narrow_.insert(e.node).second)
    return;
  if (style_ == progress_style::terminal)
    std::fputs("\r\x1b[2K", stream_);
  const auto instead = e.channels > 1 ? fmt::format("{} channels", e.channels) : "one stream";
  const auto text = fmt::format(
    "{} cannot do {} channels: memory goes in {} (VM {} and what follows)\n", e.node.value, e.asked,
    instead, e.vm.value);
  std::fputs(text.c_str(), stream_);
  std::fflush(stream_);
}

void progress_view::draw(wall_time now) {
  const bool all_ended = model_.moved() + model_.stayed() == model_.all();
  if (!all_ended && drawn_ && now - *drawn_ < redraw_interval)
    return;
  drawn_ = now;
  std::fputs(("\r\x1b[2K" + model_.line(now)).c_str(), stream_);
  std::fflush(stream_);
}

void progress_view::end() {
  const std::lock_guard guard{mutex_};
  if (style_ != progress_style::terminal || !drawn_)
    return;
  std::fputs("\r\x1b[2K", stream_);
  std::fflush(stream_);
}

} // namespace drover
