// drover: the controller and everything that a person types.
#include "runtime/program/commands.hpp"
#include "runtime/program/options.hpp"
#include "runtime/scenario/scenario_command.hpp"
#include "runtime/sim/sim_run.hpp"

#include <csignal>
#include <cstdio>

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto parsed = drover::parse_options(argc, argv);
  if (const auto* exit = std::get_if<drover::printed_exit>(&parsed)) {
    std::fputs(exit->text.c_str(), exit->is_error ? stderr : stdout);
    return exit->is_error ? 1 : 0;
  }
  const auto& options = std::get<drover::options>(parsed);
  if (const auto* run = std::get_if<drover::run_options>(&options.command))
    return drover::run_scenario_command(options, *run, drover::run_in_sim);
  return drover::run_command(options);
}
