// How far an evacuation is, read from the trace. Rule: the model is pure and only counts; the view
// draws it on a terminal as one line that is rewritten, elsewhere as one plain line per VM.
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

namespace drover {

class progress_model {
public:
  /// `bytes` of a VM is its RAM: what will roughly be sent.
  void expect(vm_id vm, std::uint64_t bytes);
  /// True when the line has changed.
  bool take(const trace_event& event);

  std::uint32_t all() const { return static_cast<std::uint32_t>(vms_.size()); }
  std::uint32_t moved() const { return moved_; }
  std::uint32_t stayed() const { return stayed_; }
  std::uint32_t moving() const;
  std::uint32_t waiting() const { return all() - moved_ - stayed_ - moving(); }
  std::uint64_t bytes_left() const;
  /// From the bytes done since the first event; nullopt before anything is done and at the end.
  std::optional<double> eta_s(wall_time now) const;

  /// "[######....] 6 moved, 2 moving, 4 waiting, 0 stayed, 12.0 MiB left, ETA 3 s"
  std::string line(wall_time now) const;

private:
  struct entry {
    std::uint64_t bytes = 0;
    std::uint64_t left = 0;
    bool moving = false;
    bool ended = false;
  };

  std::map<vm_id, entry> vms_;
  std::uint32_t moved_ = 0;
  std::uint32_t stayed_ = 0;
  std::optional<wall_time> begun_;
};

/// Where a view may draw.
enum class progress_style : std::uint8_t {
  /// One line that is rewritten, at most ten times a second.
  terminal,
  /// One line per VM that has ended.
  plain,
  none,
};

/// `terminal` where `stream` is one and TERM is not "dumb", else `plain`.
progress_style progress_style_of(std::FILE* stream);

class progress_view final : public trace_sink {
public:
  progress_view(std::FILE* stream, progress_style style) : stream_(stream), style_(style) {}

  void expect(vm_id vm, std::uint64_t bytes);
  void take(const trace_event& event) override;
  /// Clears the line, so that what follows stands alone.
  void end();

private:
  void draw(wall_time now);
  void print_ended(const migration_ended& e);
  void print_narrowed(const stream_narrowed& e);

  std::FILE* stream_;
  progress_style style_;
  std::mutex mutex_;
  progress_model model_;
  std::optional<wall_time> drawn_;
  std::set<node_id> narrow_; ///< whose QEMU was told to do fewer channels
};

} // namespace drover
