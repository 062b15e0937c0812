// What ended runs have left behind for later: one JSON file each, in the controller's state
// directory. Rule: a help for people and never the truth about a VM, so a run does not depend on
// it; a file is there whole or not at all.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace drover {

class past_runs {
public:
  /// The oldest beyond these go.
  static constexpr std::size_t kept_max = 100;

  /// Empty = $XDG_STATE_HOME/drover, else ~/.local/state/drover. Nothing is made yet.
  static result<past_runs> at(const std::string& directory);

  /// Keeps `run` and returns its id, "20261123-083646-evacuate-node1" (UTC); one more in the same
  /// second gets "-2" at its end.
  result<std::string> keep(const std::string& what, nlohmann::ordered_json run, wall_time now);

  /// By age, the latest last; empty where nothing was kept.
  std::vector<std::string> ids() const;

  /// "last" is the latest one; `invalid` where there is no such run, or its file is not one.
  result<nlohmann::ordered_json> read(const std::string& id) const;

  const std::filesystem::path& directory() const { return directory_; }

private:
  explicit past_runs(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::filesystem::path file_of(const std::string& id) const;

  std::filesystem::path directory_;
};

} // namespace drover
