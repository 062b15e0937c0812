// The store port on a log that processes of one machine share, with views that lag. Rule:
// lagging_files makes the calls, queued_store keeps them off the caller's thread.
#pragma once

#include "runtime/store/lagging_files.hpp"
#include "runtime/store/queued_store.hpp"

namespace drover {

extern template class queued_store<lagging_files>;

class lagging_store final : public queued_store<lagging_files> {
public:
  using queued_store<lagging_files>::queued_store;
};

} // namespace drover
