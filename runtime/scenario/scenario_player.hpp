// Plays a scenario on a local world: carries out its actions when they are due, waits for their
// end, looks at everything and has it judged. Rule: it decides nothing that a scenario states.
#pragma once

#include "runtime/program/interrupts.hpp"
#include "runtime/program/observers.hpp"
#include "runtime/program/planning.hpp"
#include "runtime/scenario/action_triggers.hpp"
#include "runtime/scenario/local_world.hpp"
#include "runtime/scenario/mortal_controller.hpp"
#include "runtime/scenario/scenario_judge.hpp"
#include "runtime/scenario/verdict_text.hpp"

#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace drover {

class scenario_player {
public:
  scenario_player(const scenario_file& scenario, observers& watching, interrupts& signals);

  /// `keep`: directory for logs, configs and records; empty = none.
  result<scenario_verdict> play(const std::filesystem::path& keep);

private:
  bool interrupted() const { return signals_.count() > 0; }
  void act(std::size_t index);
  void carry_out(const action::evacuate& a);
  void carry_out(const action::migrate& a);
  void carry_out(const action::kill_target_qemu& a);
  void carry_out(const action::kill_source_qemu& a);
  void carry_out(const action::kill_agent& a);
  void carry_out(const action::cancel& a);
  void carry_out(const action::recover& a);
  void carry_out(const action::cut_link& a);
  void carry_out(const action::half_open_link& a);
  void carry_out(const action::strangers& a);
  /// What the local world cannot do is refused before anything is started.
  template <class Other>
  void carry_out(const Other& a) {
    complain(std::string{a.verb} + " is not possible in the local world");
  }
  /// Breaks the link now and has it healed after `span`, beside the other actions.
  void break_link(
    const char* verb, const node_id& node, milliseconds span,
    result<done> (ssh_hosts::*how)(const node_id&));
  void depart(const departure& what, const std::optional<node_id>& cordon);
  /// Controllers that are processes: one after the other, nullopt where it was killed.
  std::optional<run_result> evacuate_apart(const action::evacuate& a);
  std::optional<run_result> recover_apart();
  std::optional<ended_controller> run_apart(std::vector<std::string> words);
  void cancel_runs(const std::string& reason);
  run_result move(const departure& what, const std::optional<node_id>& cordon);
  void wait_for_runs(mono_time until);
  bool runs_have_ended();
  survey look();
  void check_beats();
  void complain(std::string mishap);
  scenario_verdict conclude(const std::map<std::string, std::string>& before);

  const scenario_file& scenario_;
  observers& watching_;
  interrupts& signals_;
  std::shared_ptr<action_triggers> triggers_;
  std::shared_ptr<pause_audit> audit_ = std::make_shared<pause_audit>();
  std::unique_ptr<local_world> world_;
  std::vector<std::future<std::optional<run_result>>> runs_;
  std::mutex apart_mutex_;
  std::vector<std::shared_ptr<controller_process>> apart_; ///< in the order of their beginning
  std::vector<run_result> ended_;
  std::vector<std::future<void>> heals_; ///< links that are broken for a while
  std::mutex mishaps_mutex_;
  std::vector<std::string> mishaps_;
};

} // namespace drover
