// Entries of the store's log as lines of JSON, one entry a line. Rule: pure; a line that is read
// back is the entry that was written; an error names the file, the line and what is wrong.
//
//   {"at":1577836800000000000,"node":"n1","op":"place","vm":100,"owner":"n2"}
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/store/store_log.hpp"

#include <string>
#include <string_view>

namespace drover {

/// Ends with its newline and has no other.
std::string entry_line(const log_entry& entry);
/// `origin` tells where the line stands; without its newline.
result<log_entry> parse_entry(std::string_view line, const std::string& origin);

} // namespace drover
