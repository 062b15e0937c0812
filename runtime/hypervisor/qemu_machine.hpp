// One VM's QEMU: its process, its control connection, and its part in a handover. Rule: what QEMU
// is asked is short and few (QEMU 7.2 reads its socket byte by byte), and nothing is asked that an
// event tells. Everything runs on the loop's thread.
//
//   launch -> starting -> up -> (process gone) gone      source: none -> connecting -> begun ->
//   ended adopt  -> starting -> up                             target: none -> begun -> ended
#pragma once

#include "runtime/hypervisor/machine_host.hpp"
#include "runtime/hypervisor/machine_process.hpp"
#include "runtime/hypervisor/migration_switches.hpp"
#include "runtime/hypervisor/qmp_client.hpp"
#include "runtime/hypervisor/run_files.hpp"
#include "runtime/hypervisor/stream_channels.hpp"
#include "runtime/hypervisor/stream_door.hpp"

#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover {

/// Everything that a new QEMU is started from.
struct launch_plan {
  vm_id vm;
  epoch number;       ///< 0 = it runs at once; else it receives under this number
  std::string config; ///< pinned
  std::vector<std::string> argv;
  std::vector<std::string> tap_bridges;
  migration_switches switches;              ///< as they stand from its start
  migration_switches::wanted wanted;        ///< as they have to stand before it streams
  std::optional<wire::machine_facts> facts; ///< as far as the command line decides them
};

class qemu_machine : public std::enable_shared_from_this<qemu_machine> {
public:
  static std::shared_ptr<qemu_machine> launch(
    std::shared_ptr<machine_host> host, launch_plan plan, callback<machine_status> answer);
  /// Finds a running QEMU again; `known` is called once, when it was asked or does not answer.
  /// Error `lost` when the process is gone; its files are removed then.
  static result<std::shared_ptr<qemu_machine>> adopt(
    std::shared_ptr<machine_host> host, vm_id vm, std::function<void()> known);
  /// The driver goes; QEMU runs on.
  void detach();

  machine_status status() const;
  result<std::string> config() const;
  /// Of one that was launched by this driver.
  const std::optional<wire::machine_facts>& planned_facts() const { return planned_facts_; }
  bool is_starting() const { return phase_ == phase::starting; }
  /// One more who waits for the start.
  void join_start(callback<machine_status> answer) { start_answers_.push_back(std::move(answer)); }
  /// Tells the events that a driver before this one was there for, or that nobody heard.
  void report_missed();

  void facts(callback<wire::machine_facts> answer);
  void quit(callback<done> answer);
  void kill(callback<done> answer);

  std::uint32_t channels_max() const;
  void open_door(epoch number, const stream_form& form, callback<listening> answer);
  void stream(
    epoch number, const listening& door, const stream_limits& limits, callback<done> answer);
  void set_downtime_limit(std::uint32_t limit_ms, callback<done> answer);
  void set_bandwidth(std::uint64_t bytes_per_s, callback<done> answer);
  void cancel_stream(epoch number, callback<done> answer);
  void resume(callback<wall_time> answer);

private:
  static constexpr milliseconds command_deadline{10'000};
  enum class phase : std::uint8_t { starting, up, gone };
  enum class stream_phase : std::uint8_t { none, connecting, begun, ended };

  qemu_machine(std::shared_ptr<machine_host> host, vm_id vm);

  // Start: qemu_machine.cpp; end and questions: qemu_machine_end.cpp.
  void spawned(result<new_process> started);
  result<void> connect();
  void ask_after_start();
  void started(const result<nlohmann::json>& status);
  void fail_start(const error& why);
  void start_in_the_end();
  void lost_connection();
  void shake_hands();
  void learn(const nlohmann::json& status, const nlohmann::json& migration);
  void ask_rescue();
  void become_known();
  void gone(const std::string& how);
  void answer_gone(const std::string& reason);
  void watch_end();
  void end_before_its_turn();
  std::string reason_of(const std::string& how) const;
  template <class T>
  void answer_all(std::vector<callback<T>>& answers, const result<T>& value);
  /// Says only what is not known to stand so already; `answer` may come inside this call.
  void switch_migration(
    const migration_switches::wanted& all, milliseconds deadline, callback<done> answer);
  void call(
    std::string_view command, const nlohmann::json& arguments, callback<nlohmann::json> answer);
  void ask_status();
  void send_cont(int attempts_left);
  void retry_cont(const error& refused, int attempts_left);

  // Streams: qemu_machine_door.cpp, qemu_machine_stream.cpp, qemu_machine_stream_end.cpp.
  void set_up_stream(const stream_limits& limits, const std::string& key, std::uint64_t attempt);
  void connected(std::uint64_t attempt, result<unique_fd> connection);
  void admitted(result<unique_fd> connection);
  void key_given(
    const std::shared_ptr<stream_door>& door, const listening& here, const result<done>& given,
    const callback<listening>& answer);
  void stream_failed_to_begin(std::uint64_t attempt, const error& why);
  void begin_if_ready();
  void await_earlier_end(std::uint64_t attempt, int looks_left);
  void begin_stream(std::uint64_t attempt);
  void answer_stream(const result<done>& value);
  void end_stream(wire::stream_end end, const std::string& reason, std::optional<wall_time> at);
  void end_failed(wall_time at);
  void ask_figures();
  void take_figures(const nlohmann::json& migration);
  void arm_progress();
  void close_stream();
  void learn_stream(const nlohmann::json& migration);

  // Several channels: qemu_machine_channels.cpp.
  void add_channels(migration_switches::wanted& all) const;
  nlohmann::json stream_parameters(const std::string& key) const;
  void set_receiving_channels(std::uint32_t channels, callback<done> answer);
  void admitted_channel(unique_fd connection);
  void connect_channels(const listening& door, std::uint64_t attempt);
  void close_channels();

  // Keys: qemu_machine_key.cpp.
  static nlohmann::json key_parameters(const std::string& key);
  void give_key(epoch number, const std::string& key, callback<done> answer);
  void forget_key();

  // Events: qemu_machine_events.cpp.
  void take_event(const qmp_event& event);
  void take_stop(wall_time at);
  void take_resume(wall_time at);
  void take_migration(const std::string& status, wall_time at);

  std::shared_ptr<machine_host> host_;
  vm_id vm_;
  run_files files_;
  phase phase_ = phase::starting;
  bool owes_hands_ = false;        ///< its state was told by the rescue socket only
  bool changed_meanwhile_ = false; ///< an event came while its state was asked for
  bool end_was_asked_ = false;
  std::string run_state_; ///< QEMU's own word; empty = not known
  std::string config_;
  std::optional<wire::machine_facts> planned_facts_;
  stream_mark mark_;
  migration_switches switches_;
  migration_switches::wanted wanted_; ///< said once it is up

  std::shared_ptr<machine_process> process_;
  std::shared_ptr<qmp_client> client_;
  std::shared_ptr<qmp_client> rescue_;
  asio::steady_timer patience_timer_;
  start_gate::permit start_permit_;
  bool waits_for_turn_ = false; ///< its process is not started yet
  asio::steady_timer reconnect_timer_;
  int vain_connects_ = 0; ///< to one that was found again
  asio::steady_timer end_timer_;
  std::function<void()> known_;
  std::vector<callback<machine_status>> start_answers_;
  std::vector<callback<done>> end_answers_;
  std::vector<callback<wall_time>> resume_answers_;
  bool continuing_ = false;          ///< `cont` was sent and is not answered
  std::optional<wall_time> resumed_; ///< since when it runs, where that is known
  bool has_run_ = false;             ///< since it was received

  stream_phase stream_phase_ = stream_phase::none;
  std::uint64_t attempt_ = 0; ///< tells the answers of an earlier attempt to stream apart
  bool parameters_set_ = false;
  bool may_have_streamed_ = false; ///< this QEMU, under an earlier attempt or agent
  std::uint64_t keys_given_ = 0;
  bool has_key_ = false;          ///< QEMU may hold a key
  bool names_key_ = false;        ///< its parameters may name one, also one that is gone
  bool may_keep_old_key_ = false; ///< was found again, and nobody has taken away its last one since
  unique_fd connection_;          ///< stands, and waits for the parameters
  std::shared_ptr<stream_knock> knock_;
  std::shared_ptr<stream_door> door_;
  std::uint32_t channels_ = 1; ///< of the stream that QEMU is set up for; 0 = not known
  std::shared_ptr<outgoing_channels> outgoing_;
  std::shared_ptr<incoming_channels> incoming_;
  bool channels_stand_ = false;          ///< and wait for the parameters
  std::optional<wire::outcome> outcome_; ///< of `mark_`
  bool outcome_untold_ = false;
  std::optional<wall_time> stopped_at_;
  bool stopped_ = false; ///< the switchover has begun
  stream_figures figures_;
  asio::steady_timer progress_timer_;
  asio::steady_timer cancel_timer_;
  asio::steady_timer continue_timer_;
  std::vector<callback<done>> stream_answers_; ///< until `migrate` was accepted
  std::vector<callback<done>> cancel_answers_;
};

template <class T>
void qemu_machine::answer_all(std::vector<callback<T>>& answers, const result<T>& value) {
  for (const auto& answer : std::exchange(answers, {}))
    if (host_->is_open)
      answer(value);
}

} // namespace drover
