// libvirt on the same guests: two daemons on this machine, each in a mount and host name namespace
// of its own, virsh as the driver. Rule: it leaves nothing behind, and reads and writes nothing of
// the machine's own libvirt.
//
// Its guests have 3 MiB, because libvirt counts in MiB; the rest of their QEMUs' words are those of
// libvirt. It starts a receiving QEMU only when the VM's turn has come, so "streams" are virshs.
#pragma once

#include "tests/bench/figures.hpp"

#include <optional>
#include <string>

namespace drover::bench {

std::optional<std::string> absence_of_libvirt();

/// What does not move is counted as failed.
round_figures play_libvirt(const bench_point& at);

} // namespace drover::bench
