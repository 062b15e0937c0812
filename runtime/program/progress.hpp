// How far a run is, read from the trace. Rule: the model is pure and only counts; the view draws it
// on a terminal as a few lines that are rewritten in place, elsewhere as one plain line per VM.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/base/trace.hpp"

#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover {

/// One line with a bar: how much of it is done, what stands before and behind it.
struct progress_row {
  std::string label;
  std::uint32_t done = 0;
  std::uint32_t all = 0;
  std::uint32_t failed = 0;
  std::string text;
};

class progress_model {
public:
  /// True when what is shown has changed.
  bool take(const trace_event& event);

  std::uint32_t all() const { return static_cast<std::uint32_t>(vms_.size()); }
  std::uint32_t moved() const { return moved_; }
  std::uint32_t stayed() const { return stayed_; }
  std::uint32_t moving() const;
  std::uint32_t waiting() const { return all() - moved_ - stayed_ - moving(); }
  std::uint64_t bytes_left() const;

  /// Bytes of guest memory per second since the first VM left the queue: what the estimate stands
  /// on. Absent before anything is done and at the end.
  std::optional<double> rate(wall_time now) const;
  std::optional<double> eta_s(wall_time now) const;

  /// One row for each target, then the sum of them.
  std::vector<progress_row> rows(wall_time now) const;

private:
  struct entry {
    node_id target;
    std::uint64_t bytes = 0;
    std::uint64_t left = 0;
    bool moving = false;
    bool ended = false;
    bool failed = false;
  };

  void plan(const migration_planned& e);
  entry* under_way(vm_id vm);
  progress_row sum(wall_time now) const;

  std::map<vm_id, entry> vms_;
  std::uint32_t moved_ = 0;
  std::uint32_t stayed_ = 0;
  std::optional<wall_time> begun_;
};

/// Where a view may draw.
enum class progress_style : std::uint8_t {
  /// Lines that are rewritten, at most ten times a second.
  terminal,
  /// One line per VM that has ended.
  plain,
  none,
};

enum class colour_use : std::uint8_t { none, some };

struct progress_look {
  progress_style style = progress_style::plain;
  colour_use colours = colour_use::none;
  std::uint32_t columns = 80;
};

/// `terminal` where `stream` is one and TERM is not "dumb", else `plain`; colours only on a
/// terminal and not where NO_COLOR is set (no-color.org).
progress_look progress_look_of(std::FILE* stream);

/// "  n2  [######....] 6 of 12": no wider than the look's columns, colour codes not counted.
std::string draw_row(const progress_row& row, std::uint32_t label_width, const progress_look& look);

class progress_view final : public trace_sink {
public:
  progress_view(std::FILE* stream, progress_look look) : stream_(stream), look_(look) {}

  void take(const trace_event& event) override;
  /// Takes the lines away, so that what follows stands alone.
  void end();

private:
  std::string drawn(wall_time now);
  std::string erased();
  std::string told(const migration_ended& e) const;
  void tell_narrowed(const stream_narrowed& e);
  void write(const std::string& text);

  std::FILE* stream_;
  progress_look look_;
  std::mutex mutex_;
  progress_model model_;
  std::optional<wall_time> drawn_at_;
  std::size_t lines_ = 0;    ///< that stand on the terminal now
  std::set<node_id> narrow_; ///< whose QEMU was told to do fewer channels
};

} // namespace drover
