// What a QEMU binary can do, asked of the binary itself: one short run without a machine. Rule:
// asked once per binary (about 30 ms), and again when the file has changed, so that an upgrade
// under a living agent is noticed. Blocks that long; nothing in a pause needs it.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/hypervisor/migration_switches.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

struct binary_facts {
  std::string version; ///< "7.2.22"
  /// Versioned names, and the aliases `pc`, `q35` that change their meaning with every release.
  std::set<std::string> machines;
  std::map<std::string, std::string> aliases;
  /// As they stand in a QEMU that was started with `switch_words`.
  migration_switches switches;
  /// Options that switch on what each stream needs, so that nobody has to say it to each QEMU;
  /// empty: this binary does not know them.
  std::vector<std::string> switch_words;
  /// What is missing for streams encrypted with a pre-shared key; empty = nothing.
  std::string encryption_fault;

  /// The versioned name; empty = unknown to this binary. An empty `machine` is the default `pc`.
  std::string canonical_machine(std::string_view machine) const;
};

/// From the lines that a QMP connection answered to the probe's commands.
result<binary_facts> read_binary_facts(std::string_view qmp_output);

class binary_probe {
public:
  explicit binary_probe(std::string binary) : binary_(std::move(binary)) {}

  /// Error `refused` when the binary is missing or is no QEMU.
  const result<binary_facts>& facts();
  /// The file that was asked; searched for again only when it is gone.
  const std::string& file() const { return file_; }

private:
  std::string binary_;
  std::string file_;
  std::string stamp_; ///< what the file looked like when it was asked
  result<binary_facts> facts_;
};

} // namespace drover
