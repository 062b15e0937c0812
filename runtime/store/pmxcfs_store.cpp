#include "runtime/store/pmxcfs_store.hpp"

namespace drover {

template class queued_store<pmxcfs_files>;

} // namespace drover
