// Unix sockets in the run directory. Rule: for this user alone (0600) before anybody can connect.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/unique_fd.hpp"

#include <filesystem>

namespace drover {

/// A socket that listens there already, with room for so many who wait; whatever was at `path`
/// before is removed.
result<unique_fd> listen_privately(const std::filesystem::path& path, int waiting_clients);

/// Connects without waiting. `retry` when too many others wait there, `lost` when nobody listens.
result<unique_fd> connect_at_once(const std::filesystem::path& path);

} // namespace drover
