// The hypervisor port's contract as checks that every driver must pass. Rule: nothing here assumes
// more than runtime/hypervisor/hypervisor.hpp promises.
//
// A driver's test makes a rig of its own kind and calls check_hypervisor_contract in a TEST_CASE;
// each SECTION gets a fresh rig.
#pragma once

#include "tests/contracts/hypervisor_rig.hpp"

#include <functional>
#include <memory>

namespace drover::contracts {

using hypervisor_rig_maker = std::function<std::unique_ptr<hypervisor_rig>()>;

void check_hypervisor_contract(const hypervisor_rig_maker& make);

// The parts, for a test that wants one of them.
void check_machines(const hypervisor_rig_maker& make);
void check_receiving(const hypervisor_rig_maker& make);
void check_moves(const hypervisor_rig_maker& make);
void check_doors(const hypervisor_rig_maker& make);
void check_broken_streams(const hypervisor_rig_maker& make);
void check_stream_settings(const hypervisor_rig_maker& make);
void check_restarts(const hypervisor_rig_maker& make);

} // namespace drover::contracts
