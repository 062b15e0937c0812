// The reports of ended runs: one JSON file each, in the controller's state directory, under the
// run's id in the journal. Rule: a help for people and never the truth about a VM, so a run does
// not depend on it; a file is there whole or not at all.
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

  /// In the state directory; `wanted` as in state_directory(). Nothing is made yet.
  static result<past_runs> at(const std::string& wanted);

  /// An id that no kept run has, for a run that the journal gave none.
  std::string free_id(const std::string& what, wall_time begun) const;

  /// Keeps `run` under its id; one that is there already is replaced.
  result<done> keep(const std::string& id, nlohmann::ordered_json run);

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
