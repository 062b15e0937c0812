#include "runtime/store/etcd_store.hpp"

namespace drover {

template class queued_store<etcd_calls>;

} // namespace drover
