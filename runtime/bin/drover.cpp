// drover: the controller and everything that a person types.
#include "runtime/program/commands.hpp"
#include "runtime/program/options.hpp"
#include "runtime/scenario/mortal_controller.hpp"
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
  auto watched = options;
  auto death = drover::death_of(options);
  if (!death) {
    std::fprintf(stderr, "drover: %s\n", drover::to_string(death.error()).c_str());
    return 1;
  }
  watched.watcher = *death;
  return drover::run_command(watched);
}
