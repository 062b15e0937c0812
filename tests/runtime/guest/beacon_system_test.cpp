// The beacon under a real QEMU, heard by a real watcher.
#include "tests/runtime/guest/qemu_rig.hpp"

#include "runtime/base/time.hpp"
#include "runtime/guest/beacon_args.hpp"
#include "runtime/guest/beacon_watcher.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <vector>

using drover::beacon_settings;
using drover::beacon_watcher;
using drover::milliseconds;
using drover::guest_test::qemu_process;
using drover::guest_test::scratch_dir;

namespace {

constexpr milliseconds patience{30'000};
const drover::vm_id vm{101};

/// One watched beacon VM and its QEMUs, of which each has its QMP socket.
struct beacon_rig {
  scratch_dir scratch;
  std::unique_ptr<beacon_watcher> watcher;
  beacon_settings settings;
  std::string disk;
  int started = 0;

  beacon_rig() : watcher(beacon_watcher::open(scratch.path()).value()) {
    watcher->watch(vm).value();
  }

  std::filesystem::path file(const std::string& name) const { return scratch.path() / name; }

  std::unique_ptr<qemu_process> start(
    const std::vector<std::string>& more_words = {}, const std::string& accel = "tcg") {
    const auto config = drover::beacon_config(
      {.name = "beacon",
       .settings = settings,
       .observer_socket = watcher->socket_path(vm),
       .image = {},
       .disk = disk});
    return std::make_unique<qemu_process>(
      config.value(), file(std::to_string(++started) + ".qmp"), more_words, accel);
  }
  std::unique_ptr<qemu_process> receive() { return start({"-incoming", "defer", "-S"}); }

  void hear(std::uint64_t beats) { watcher->wait_for_beats(vm, beats, patience).value(); }
  drover::beacon_report report() const { return watcher->report(vm).value(); }

  /// Waits until the report fulfils `wanted`.
  template <class Wanted>
  bool reaches(Wanted wanted) const {
    const auto deadline = drover::monotonic_now() + patience;
    while (drover::monotonic_now() < deadline) {
      if (wanted(report()))
        return true;
      ::poll(nullptr, 0, 5);
    }
    return false;
  }

  void add_disk(std::uintmax_t size) {
    disk = file("disk.raw");
    std::ofstream{disk};
    std::filesystem::resize_file(disk, size);
  }
};

/// Writes zeros into a file that QEMU has open.
void write_zeros(const std::string& path, off_t offset, std::size_t size) {
  const std::string zeros(size, '\0');
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const auto written = ::pwrite(fd, zeros.data(), size, offset);
  ::close(fd);
  REQUIRE(written == static_cast<ssize_t>(size));
}

double rate(const drover::beacon_process& process) {
  return static_cast<double>(process.beats - 1) /
         drover::seconds(process.last_at - process.first_at);
}

} // namespace

TEST_CASE("a beacon beats at about the rate that was asked", "[system]") {
  beacon_rig rig;
  rig.settings.hz = 100;
  const auto qemu = rig.start();
  rig.hear(150);
  const auto report = rig.report();
  INFO(to_string(report));
  CHECK(report.contiguous());
  REQUIRE(report.processes.size() == 1);
  CHECK(report.processes[0].pid == qemu->pid());
  // A beat that comes due while the one before waits for a busy host is left out, so a slow
  // machine shows fewer; more than asked would be a wrong clock.
  CHECK(rate(report.processes[0]) > 20);
  CHECK(rate(report.processes[0]) < 115);
}

TEST_CASE("a beacon is contiguous over five migrations while it dirties memory", "[system]") {
  beacon_rig rig;
  rig.settings = {.hz = 100, .pages_per_beat = 20, .working_set_pages = 4096, .memory_kib = 32'768};
  auto source = rig.start();
  rig.hear(20);
  for (int i = 0; i < 5; ++i) {
    auto target = rig.receive();
    drover::guest_test::migrate(*source, *target, rig.file("stream" + std::to_string(i)));
    rig.hear(5);
    source = std::move(target);
  }
  rig.hear(250); // More than a lap of the working set, so that every page was checked.
  const auto report = rig.report();
  INFO(to_string(report));
  CHECK(report.contiguous());
  CHECK(report.torn_bytes == 0);
  REQUIRE(report.switchovers.size() == 5);
  for (const auto& switchover : report.switchovers) {
    CHECK(switchover.pause > milliseconds{0});
    CHECK(switchover.pause < milliseconds{5000});
    CHECK(switchover.to.value == switchover.from.value + 1);
  }
  CHECK(report.processes.back().pid == source->pid());
}

TEST_CASE("a beacon that is stopped for a while is silent, then contiguous", "[system]") {
  beacon_rig rig;
  rig.settings.hz = 50;
  const auto qemu = rig.start();
  rig.hear(5);
  qemu->send_signal(SIGSTOP);
  ::poll(nullptr, 0, 300);
  qemu->send_signal(SIGCONT);
  rig.hear(5);
  CHECK(rig.report().contiguous());
  CHECK(rig.report().longest_silence >= milliseconds{280});
}

TEST_CASE("a beacon that is killed and started again is restarted", "[system]") {
  beacon_rig rig;
  auto qemu = rig.start();
  rig.hear(3);
  qemu->kill();
  CHECK(rig.reaches([](const auto& report) { return !report.processes[0].connected; }));
  qemu = rig.start();
  rig.hear(3);
  const auto report = rig.report();
  INFO(to_string(report));
  CHECK(report.restarted == 1);
  CHECK_FALSE(report.ran_twice());
  CHECK(report.lost == 0);
  REQUIRE(report.switchovers.size() == 1);
  CHECK(report.switchovers[0].restarted);
}

TEST_CASE("a beacon that is reset within its QEMU is restarted", "[system]") {
  beacon_rig rig;
  const auto qemu = rig.start();
  rig.hear(3);
  qemu->command("system_reset");
  CHECK(rig.reaches([](const auto& report) { return report.restarted == 1; }));
  rig.hear(3);
  CHECK(rig.report().processes.size() == 1);
  CHECK_FALSE(rig.report().flags.stale_page);
}

TEST_CASE("a source that is continued after its target runs is two copies", "[system]") {
  beacon_rig rig;
  const auto source = rig.start();
  rig.hear(3);
  const auto target = rig.receive();
  drover::guest_test::migrate(*source, *target, rig.file("stream"));
  rig.hear(3);
  CHECK(rig.report().contiguous());
  source->command("cont");
  CHECK(rig.reaches([](const auto& report) { return report.overlapped >= 3; }));
  CHECK(rig.report().ran_twice());
  CHECK(rig.report().lost == 0);
  CHECK(rig.report().switchovers.size() == 1);
}

TEST_CASE("a beacon sees that a page was lost", "[system]") {
  beacon_rig rig;
  rig.settings.hz = 100;
  const auto memory = rig.file("ram").string();
  const auto size = std::to_string(drover::beacon_memory_kib(rig.settings)) + "k";
  const auto qemu = rig.start(
    {"-object", "memory-backend-file,id=ram0,share=on,mem-path=" + memory + ",size=" + size,
     "-machine", "memory-backend=ram0"});
  rig.hear(2 * rig.settings.working_set_pages);
  REQUIRE_FALSE(rig.report().flags.stale_page);
  qemu->command("stop");
  write_zeros(memory, 0x100000, std::size_t{4096} * rig.settings.working_set_pages);
  qemu->command("cont");
  CHECK(rig.reaches([](const auto& report) { return report.flags.stale_page; }));
  CHECK_FALSE(rig.report().flags.stale_sector);
  CHECK_FALSE(rig.report().contiguous());
}

TEST_CASE("a beacon's disk ring goes along and is checked", "[system]") {
  beacon_rig rig;
  rig.settings.hz = 100;
  rig.settings.disk_step_beats = 2;
  rig.settings.disk_ring_sectors = 8;
  rig.add_disk(64 * 1024);
  auto source = rig.start();
  rig.hear(40);
  for (int i = 0; i < 2; ++i) {
    auto target = rig.receive();
    drover::guest_test::migrate(*source, *target, rig.file("stream" + std::to_string(i)));
    rig.hear(40);
    source = std::move(target);
  }
  INFO(to_string(rig.report()));
  REQUIRE(rig.report().contiguous());

  source->command("stop");
  write_zeros(rig.disk, 0, std::size_t{512} * rig.settings.disk_ring_sectors);
  source->command("cont");
  CHECK(rig.reaches([](const auto& report) { return report.flags.stale_sector; }));
  CHECK_FALSE(rig.report().flags.disk_error);
}

TEST_CASE("a beacon whose disk ring is not there reports a disk error", "[system]") {
  beacon_rig rig;
  rig.settings.disk_step_beats = 1;
  rig.settings.disk_ring_sectors = 8;
  SECTION("because there is no disk") {}
  SECTION("because the disk is too small") {
    rig.settings.disk_ring_sectors = 512;
    rig.add_disk(512);
  }
  const auto qemu = rig.start();
  CHECK(rig.reaches([](const auto& report) { return report.flags.disk_error; }));
  CHECK_FALSE(rig.report().flags.stale_sector);
}

TEST_CASE("a beacon beats under KVM where the host has it", "[system]") {
  const int kvm = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) {
    WARN("no /dev/kvm here: not tried");
    return;
  }
  ::close(kvm);
  beacon_rig rig;
  rig.settings.hz = 100;
  const auto qemu = rig.start({}, "kvm");
  rig.hear(150);
  CHECK(rig.report().contiguous());
}
