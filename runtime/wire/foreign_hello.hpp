// A hello from another major version, of which nothing may be taken for granted but the number that
// says so. Rule: what is read here serves to name both versions and to part; no more.
#pragma once

#include "runtime/wire/message.hpp"

#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace drover::wire {

/// A request as it came; nullopt when it is no hello, or one of this major version.
std::optional<hello> foreign_hello(const nlohmann::json& request);
/// A reply as it came, likewise.
std::optional<hello_reply> foreign_hello_reply(const nlohmann::json& reply);

} // namespace drover::wire
