// What others of this user may do to a run while this process carries it out: its socket, and the
// lock by which a second `drover evacuate` of the node finds it. Rule: it hands wishes on and
// decides nothing; after `close` nothing reaches the fleet any more.
#pragma once

#include "runtime/base/trace.hpp"
#include "runtime/program/control_server.hpp"
#include "runtime/program/fleet.hpp"
#include "runtime/program/process_lock.hpp"
#include "runtime/program/progress.hpp"
#include "runtime/program/run_log.hpp"
#include "runtime/program/run_result.hpp"

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

namespace drover {

/// `<state>/running/ID.sock`.
std::filesystem::path socket_file(const std::filesystem::path& state, const std::string& id);

/// Locked by the process that empties `node` of the cluster described by `cluster_file`.
std::filesystem::path node_lock_file(
  const std::filesystem::path& state, const std::string& cluster_file, const node_id& node);

/// The text of that lock: who, and which run once it has a name.
struct node_lock_text {
  std::string controller;
  std::string id;
};
std::string to_string(const node_lock_text& text);
node_lock_text node_lock_text_of(const std::string& text);

/// Progress for those who follow; for the trace of the run, before its first event.
class follower_feed final : public trace_sink {
public:
  follower_feed();
  ~follower_feed() override;
  follower_feed(const follower_feed&) = delete;
  follower_feed& operator=(const follower_feed&) = delete;

  void take(const trace_event& event) override;
  /// null = nobody hears it.
  void lead_to(control_server* server);

private:
  static ssize_t written(void* self, const char* text, std::size_t size);

  std::mutex mutex_;
  control_server* server_ = nullptr;
  std::FILE* stream_ = nullptr;
  std::unique_ptr<progress_view> view_;
};

class run_control {
public:
  /// Never fails: a run that cannot be reached from outside goes on, with a warning.
  run_control(
    const std::string& state_dir, const std::string& id, fleet& nodes, run_log& log,
    std::shared_ptr<follower_feed> feed);
  ~run_control();
  run_control(const run_control&) = delete;
  run_control& operator=(const run_control&) = delete;

  /// The fleet is about to go.
  void close();
  /// Tells those who follow.
  void end(const run_result& r);

private:
  std::string handle(control_ask ask);

  std::mutex mutex_;
  fleet* nodes_;
  run_log* log_;
  std::shared_ptr<follower_feed> feed_;
  std::unique_ptr<control_server> server_;
};

} // namespace drover
