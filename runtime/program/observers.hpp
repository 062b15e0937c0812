// Everything that reads the trace of one run: file, exposure, progress. Rule: opened before
// anything is touched, so that a bad path stops the command in time.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/program/exposure.hpp"
#include "runtime/program/fleet.hpp"
#include "runtime/program/progress.hpp"
#include "runtime/program/trace_relay.hpp"
#include "runtime/wire/trace_file.hpp"

#include <memory>
#include <string>

namespace drover {

class observers {
public:
  /// Empty `trace_path`, null `shown`: none of that.
  static result<std::unique_ptr<observers>> open(
    const std::string& trace_path, const std::shared_ptr<exposure>& shown, progress_look look);

  std::shared_ptr<trace_fan> trace() const { return trace_; }
  /// For what need not see an event at once and may take its time over it. Only before the first
  /// event.
  void add_beside(std::shared_ptr<trace_sink> sink);
  /// Whoever looks from outside also wants to know how busy drover itself is.
  pulse_choice pulse() const { return exposes_ ? pulse_choice::felt : pulse_choice::none; }
  /// Hands on and writes what is left; call it when the last event was taken.
  result<done> close();

private:
  observers() = default;

  std::shared_ptr<trace_fan> trace_ = std::make_shared<trace_fan>();
  std::shared_ptr<progress_view> progress_;
  std::shared_ptr<trace_relay> relay_; ///< null until somebody needs it
  std::shared_ptr<wire::trace_file> file_;
  bool exposes_ = false;
};

} // namespace drover
