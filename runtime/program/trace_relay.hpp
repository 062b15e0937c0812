// Hands events to sinks that may take their time, from a thread of its own and in order. Rule: who
// reports an event pays for putting it into a queue and nothing else, because between a VM's STOP
// and its RESUME somebody reports, too; the thread leaves the processor to whoever wants it.
#pragma once

#include "runtime/base/trace.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace drover {

class trace_relay final : public trace_sink {
public:
  /// Events are handed on at most this long after they were taken.
  static constexpr milliseconds delay_max{20};

  trace_relay();
  trace_relay(const trace_relay&) = delete;
  trace_relay& operator=(const trace_relay&) = delete;
  ~trace_relay() override;

  /// Only before the first event.
  void add(std::shared_ptr<trace_sink> sink) { sinks_.add(std::move(sink)); }
  void take(const trace_event& event) override;
  /// When it returns, every event taken before has been handed on; later ones are lost.
  void close();

private:
  void hand_on();

  trace_fan sinks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<trace_event> queue_;
  bool closing_ = false;
  std::thread worker_;
};

} // namespace drover
