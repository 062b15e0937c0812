#include "runtime/guest/beacon_args.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using drover::beacon_config;
using drover::beacon_memory_kib;
using drover::beacon_settings;
using drover::beacon_vm;

TEST_CASE("a beacon's config is Proxmox's format with its parameters in args", "[pure]") {
  beacon_vm vm;
  vm.name = "beacon-101";
  vm.settings = {
    .hz = 50,
    .pages_per_beat = 3,
    .working_set_pages = 200,
    .disk_step_beats = 5,
    .disk_ring_sectors = 16,
    .memory_kib = 2048};
  vm.observer_socket = "/run/drover/101.beat";
  vm.image = "/opt/beacon.bin";
  vm.disk = "/srv/101.raw";
  const auto config = beacon_config(vm);
  REQUIRE(config);
  CHECK(
    *config == "name: beacon-101\n"
               "memory: 16\n"
               "cores: 1\n"
               "machine: pc-i440fx-7.2\n"
               "kvm: 0\n"
               "vga: none\n"
               "ide0: /srv/101.raw\n"
               "args: -machine usb=off,acpi=off,smm=off,vmport=off,hpet=off -m 2056k"
               " -bios /opt/beacon.bin -chardev socket,id=beat,path=/run/drover/101.beat"
               " -device isa-debugcon,chardev=beat,iobase=0xe9"
               " -device loader,addr=0x600,data=50,data-len=4"
               " -device loader,addr=0x604,data=3,data-len=4"
               " -device loader,addr=0x608,data=200,data-len=4"
               " -device loader,addr=0x60c,data=5,data-len=4"
               " -device loader,addr=0x610,data=16,data-len=4\n");
}

TEST_CASE("a beacon without observer, disk and image has the built image only", "[pure]") {
  beacon_vm vm;
  vm.name = "b";
  const auto config = beacon_config(vm);
  REQUIRE(config);
  CHECK(config->find("-chardev null,id=beat ") != std::string::npos);
  CHECK(config->find("ide0") == std::string::npos);
  CHECK(config->find("-bios " + drover::beacon_image_path() + " ") != std::string::npos);
  CHECK(std::filesystem::file_size(drover::beacon_image_path()) == 64 * 1024);
}

TEST_CASE("a beacon's RAM is never a multiple of 256 KiB and holds its working set", "[pure]") {
  const auto memory = [](std::uint32_t memory_kib, std::uint32_t working_set_pages) {
    beacon_settings settings;
    settings.memory_kib = memory_kib;
    settings.working_set_pages = working_set_pages;
    return beacon_memory_kib(settings);
  };
  CHECK(memory(2048, 64) == 2056);
  CHECK(memory(2056, 64) == 2056);
  CHECK(memory(2057, 64) == 2312);
  CHECK(memory(65'536, 64) == 65'544);
  CHECK(memory(0, 0) == 1032);
  CHECK(memory(2048, 258) == 2056);
  CHECK(memory(2048, 259) == 2312);
  CHECK(memory(2048, 0xFFFF'FFFF) > 0xFFFF'FFFF);
  for (std::uint32_t kib = 1; kib < 9000; kib += 7) {
    CHECK(memory(kib, 1) % 256 == 8);
    CHECK(memory(kib, 1) >= kib);
  }
}

TEST_CASE("what a shell or QEMU would split is quoted", "[pure]") {
  beacon_vm vm;
  vm.name = "b";
  vm.observer_socket = "/tmp/a,b c.beat";
  vm.image = "/tmp/it's.bin";
  const auto config = beacon_config(vm);
  REQUIRE(config);
  CHECK(config->find("'socket,id=beat,path=/tmp/a,,b c.beat'") != std::string::npos);
  CHECK(config->find("-bios '/tmp/it'\\''s.bin' ") != std::string::npos);
}

TEST_CASE("settings out of their bounds are named", "[pure]") {
  const auto why = [](auto change) {
    beacon_vm vm;
    vm.name = "b";
    change(vm);
    const auto config = beacon_config(vm);
    return config ? std::string("accepted") : config.error().what;
  };
  CHECK(why([](auto&) {}) == "accepted");
  CHECK(why([](auto& vm) { vm.name.clear(); }).rfind("name:", 0) == 0);
  CHECK(why([](auto& vm) { vm.name = "a\nb"; }).rfind("name:", 0) == 0);
  CHECK(why([](auto& vm) { vm.settings.hz = 0; }) == "hz: expected 1 to 10000, got 0");
  CHECK(why([](auto& vm) { vm.settings.hz = 10'001; }).rfind("hz:", 0) == 0);
  CHECK(
    why([](auto& vm) { vm.settings.working_set_pages = 0; }).rfind("working_set_pages:", 0) == 0);
  CHECK(why([](auto& vm) { vm.settings.disk_step_beats = 1; }).rfind("disk_ring_sectors:", 0) == 0);
  CHECK(why([](auto& vm) { vm.settings.memory_kib = 3'000'000; }).rfind("memory_kib:", 0) == 0);
  CHECK(why([](auto& vm) { vm.image = "a\nb"; }) == "image: holds a control character");
  CHECK(why([](auto& vm) { vm.disk = std::string(7000, 'd'); }).rfind("disk:", 0) == 0);
}
