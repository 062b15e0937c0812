// The flags of `drover run`: as they are typed, what goes together, and as a value. Rule: the other
// half of options.cpp, which alone calls it.
#pragma once

#include "runtime/program/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace drover {

/// What the commands that move VMs have in common.
struct exposure_flags {
  std::string address;
  std::string file;
  std::string token_file;
  std::string linger;
};

void add_exposure_flags(CLI::App& app, exposure_flags& raw);
exposure_options exposure_options_of(const exposure_flags& raw);

struct run_flags {
  std::string scenario;
  std::string world;
  std::uint64_t seed = 0;
  std::uint32_t seeds = 0;
  std::uint32_t jobs = 1;
  std::string how;
  std::string lags;
  bool bless = false;
  std::string report;
  std::string keep;
  exposure_flags shown;
  std::string stream;
  std::uint32_t channels = 0;
};

void add_run_flags(CLI::App& app, run_flags& raw);

/// Why these flags do not go together; empty = they do.
std::string objection_to(const run_flags& raw, const std::string& trace_file);

/// Of flags without an objection.
run_options run_options_of(const run_flags& raw);

} // namespace drover
