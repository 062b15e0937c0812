// What differs between two running machines. Rule: pure; every difference is listed, because QEMU
// accepts several of them silently and the guest finds out much later.
#pragma once

#include "runtime/wire/message.hpp"

#include <string>

namespace drover {

/// "cpus 1 here, 2 at the source; ...": empty when both are the same machine.
std::string describe_difference(const wire::machine_facts& here, const wire::machine_facts& source);

} // namespace drover
