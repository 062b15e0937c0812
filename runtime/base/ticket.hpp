// The handover record and the ticket that is made from it. Rule: a ticket is evidence, so it can be
// made in one place only: ticket_issuer, used by the source's agent right after it wrote the record
// and by an agent whose controller is gone. Everybody else carries it; the codec may rebuild one.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover {

enum class record_state : std::uint8_t {
  /// No handover is under way; the owner's directory holds the config.
  settled,
  /// Epoch e is under way from source to target.
  moving,
};

std::string_view to_string(record_state s);
std::optional<record_state> record_state_from_string(std::string_view text);

/// What can no longer be undone, published in the record when the controller is gone.
enum class source_outcome : std::uint8_t {
  /// Not known, or not published because the controller lives and learns it directly.
  unpublished,
  /// The source is in postmigrate and never moves again by itself: forward only.
  completed,
  /// The source runs on by itself: the epoch is void.
  kept,
  /// The target's word, after `completed`: it has made the epoch void and never let it run, so the
  /// source goes on.
  voided,
};

std::string_view to_string(source_outcome o);
std::optional<source_outcome> source_outcome_from_string(std::string_view text);

/// `drover/vm/<vmid>.json` in the store.
struct handover_record {
  vm_id vm;
  epoch number;
  record_state state = record_state::settled;
  node_id source;
  node_id target;
  policy how = policy::ticket;
  /// Who runs the handover, for people: host, pid and start time of the controller.
  std::string controller;
  source_outcome outcome = source_outcome::unpublished;
  /// With `voided`: the boot of the target whose word it is; else empty.
  std::string target_boot_id = {};

  bool operator==(const handover_record&) const = default;
};

/// What one node's view of the store shows of a VM.
struct vm_view {
  std::optional<node_id> owner; ///< nullopt: no node's directory shows a config
  std::optional<handover_record> record;
};

/// vmid + epoch + source + target: the evidence that a command carries.
class ticket {
public:
  vm_id vm() const { return vm_; }
  epoch number() const { return number_; }
  const node_id& source() const { return source_; }
  const node_id& target() const { return target_; }
  policy how() const { return how_; }

  bool operator==(const ticket&) const = default;

private:
  friend class ticket_issuer;
  friend struct ticket_codec;

  ticket() = default;

  vm_id vm_;
  epoch number_;
  node_id source_;
  node_id target_;
  policy how_ = policy::ticket;
};

/// The one place where tickets are made.
class ticket_issuer {
public:
  /// Precondition: `record` is `moving` and stands in the store: this agent has written or read it.
  static ticket issue(const handover_record& record);
};

/// "105#7 n1->n2": for logs and messages.
std::string to_string(const ticket& t);

} // namespace drover
