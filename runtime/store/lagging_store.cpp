#include "runtime/store/lagging_store.hpp"

namespace drover {

template class queued_store<lagging_files>;

} // namespace drover
