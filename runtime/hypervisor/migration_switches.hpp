// What the migration of one QEMU can do (its "capabilities") and what of it is switched on. Rule:
// pure; what nobody has heard of since it was last changed is not known, so it is said again.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drover {

class migration_switches {
public:
  using wanted = std::vector<std::pair<std::string_view, bool>>;

  /// The answer to `query-migrate-capabilities`; anything else is passed over.
  void learn(const nlohmann::json& list);
  bool knows(std::string_view name) const { return states_.contains(name); }

  /// The argument of `migrate-set-capabilities` that leads to `all`: without those that stand so
  /// already, and without those that the binary does not know. Empty when nothing is to be said.
  wanted changes(const wanted& all) const;
  /// They are being set, or it is not known whether they were.
  void forget(const wanted& changed);
  void note(const wanted& changed);
  /// Somebody else may have set any of them.
  void forget_all();

private:
  std::map<std::string, std::optional<bool>, std::less<>> states_;
};

/// What drover's streams ask of each QEMU. Events: nothing polls for the end. Return path: the
/// source is `completed` only when the target has loaded everything.
migration_switches::wanted switches_of_any();
/// With late activation: the target takes the locks of shared disks at `cont` only, so that the
/// source can still go on until then.
migration_switches::wanted switches_of_target();
/// As words of a QEMU's command line; not every binary knows them.
std::vector<std::string> words_of(const migration_switches::wanted& all);
/// As `migrate-set-capabilities` has it.
nlohmann::json argument_of(const migration_switches::wanted& changes);

} // namespace drover
