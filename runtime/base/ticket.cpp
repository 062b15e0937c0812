#include "runtime/base/ticket.hpp"

#include "runtime/base/check.hpp"

namespace drover {

std::string_view to_string(record_state s) {
  return s == record_state::moving ? "moving" : "settled";
}

std::optional<record_state> record_state_from_string(std::string_view text) {
  if (text == "moving")
    return record_state::moving;
  if (text == "settled")
    return record_state::settled;
  return std::nullopt;
}

std::string_view to_string(source_outcome o) {
  switch (o) {
  case source_outcome::completed:
    return "completed";
  case source_outcome::kept:
    return "kept";
  case source_outcome::voided:
    return "voided";
  case source_outcome::unpublished:
    break;
  }
  return "unpublished";
}

std::optional<source_outcome> source_outcome_from_string(std::string_view text) {
  for (auto o :
       {source_outcome::unpublished, source_outcome::completed, source_outcome::kept,
        source_outcome::voided})
    if (to_string(o) == text)
      return o;
  return std::nullopt;
}

ticket ticket_issuer::issue(const handover_record& record) {
  DROVER_CHECK(record.state == record_state::moving, "a ticket needs a record that is moving");
  DROVER_CHECK(record.number.value > 0, "epochs start at 1");
  ticket t;
  t.vm_ = record.vm;
  t.number_ = record.number;
  t.source_ = record.source;
  t.target_ = record.target;
  t.how_ = record.how;
  return t;
}

std::string to_string(const ticket& t) {
  return to_string(t.vm()) + "#" + to_string(t.number()) + " " + t.source().value + "->" +
         t.target().value;
}

} // namespace drover
