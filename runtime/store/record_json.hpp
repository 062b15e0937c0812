// The store's own small files as JSON text: handover records and the holders of locks. Rule: pure;
// an error names the file and the JSON path of what is wrong. Keys that are not known are ignored,
// so that a newer drover's files can be read.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/store/store.hpp"

#include <string>
#include <string_view>

namespace drover {

/// One object, indented, with a final newline: people read it with `cat`.
std::string record_text(const handover_record& record);
result<handover_record> parse_record(std::string_view text, std::string_view origin = "record");

std::string lock_text(const store_lock& lock);
result<store_lock> parse_lock(std::string_view text, std::string_view origin = "lock");

} // namespace drover
