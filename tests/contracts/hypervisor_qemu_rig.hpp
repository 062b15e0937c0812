// Two nodes with real QEMUs on this machine, emulated, with one loop. Rule: whatever a test leaves
// behind, the rig ends it, by the pid files of its own directory only.
#pragma once

#include "runtime/hypervisor/qemu_hypervisor.hpp"
#include "runtime/hypervisor/run_files.hpp"
#include "tests/contracts/hypervisor_rig.hpp"

#include <array>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace drover::contracts {

/// 64 KiB of firmware whose reset vector halts for ever.
inline void write_halting_firmware(const std::filesystem::path& path) {
  constexpr std::size_t bytes = 64 * 1024;
  constexpr std::size_t reset_vector = bytes - 16;
  std::string image(bytes, '\0');
  image.replace(reset_vector, 3, "\xf4\xeb\xfd"); // hlt; jmp to it
  std::ofstream(path, std::ios::binary) << image;
}

class qemu_rig final : public hypervisor_rig {
public:
  explicit qemu_rig(const std::string& address = "127.0.0.1") : address_(address) {
    auto pattern = (std::filesystem::temp_directory_path() / "drover-qemu-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("mkdtemp failed");
    root_ = pattern;
    write_halting_firmware(root_ / "halt.bin");
    for (const auto which : {side::source, side::target})
      make_driver(which);
  }
  ~qemu_rig() override {
    for (const auto which : {side::source, side::target})
      for (const auto vm : vms_in(settings(which).run_dir))
        crash(which, vm);
    const auto all_gone = [this] {
      return at(side::source).list().empty() && at(side::target).list().empty();
    };
    run_until(all_gone);
    drivers_ = {};
    loop_.poll();
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  qemu_rig(const qemu_rig&) = delete;
  qemu_rig& operator=(const qemu_rig&) = delete;

  asio::io_context& loop() { return loop_; }
  const std::filesystem::path& root() const { return root_; }

  qemu_settings settings(side which) const {
    qemu_settings s;
    s.node = node_id{which == side::source ? "n1" : "n2"};
    s.run_dir = root_ / s.node.value;
    s.migration_address = address_;
    s.accel = acceleration::tcg;
    s.relay_program = DROVER_RELAY_PROGRAM;
    s.storages["shared"] = {root_ / "shared", storage_reach::shared};
    s.storages["local"] = {root_ / "local", storage_reach::local};
    return s;
  }

  hypervisor& at(side which) override { return *driver(which); }

  /// RAM sizes are no multiples of 256 KiB: QEMU 7.2 loses writes of emulated guests with those.
  std::string config(const std::string& memory, const std::string& more = {}) const {
    return "name: halt\nmachine: pc-i440fx-7.2\nkvm: 0\nvga: none\n" + more + "args: -bios " +
           (root_ / "halt.bin").native() + " -m " + memory + "\n";
  }
  std::string small_config() override { return config("2056k"); }
  std::string large_config() override { return config("65544k"); }
  /// 147 KB go over the wire for 64 MiB of zeros.
  stream_limits slow_limits() override { return {64'000, 0}; }
  std::string other_cpu_config() override { return config("2056k", "cpu: max\n"); }
  std::string broken_config() override { return small_config() + "scsihw: lsi\n" + missing_disk(); }
  std::string broken_word() override { return "no-such-disk"; }

  bool run_until(const std::function<bool()>& reached) override {
    const auto give_up = monotonic_now() + std::chrono::seconds{60};
    while (!reached()) {
      if (monotonic_now() > give_up)
        return false;
      loop_.restart();
      loop_.run_one_for(milliseconds{10});
    }
    return true;
  }
  void crash(side which, vm_id vm) override {
    if (const auto pid = run_files(settings(which).run_dir, vm).read_pid(); pid > 0)
      ::kill(pid, SIGKILL);
  }
  void restart(side which, hypervisor_events& events) override {
    driver(which).reset();
    make_driver(which);
    at(which).listen(&events);
  }
  bool is_turned_away(const listening& door, const std::string& token) override {
    asio::ip::tcp::socket visitor(loop_);
    visitor.connect({asio::ip::make_address(door.host), door.port});
    asio::write(visitor, asio::buffer(token));
    visitor.non_blocking(true);
    return run_until([&visitor] {
      std::array<char, 8> read{};
      asio::error_code failure;
      visitor.read_some(asio::buffer(read), failure);
      return failure && failure != asio::error::would_block;
    });
  }

private:
  static std::string missing_disk() { return "scsi0: shared:no-such-disk.raw\n"; }
  std::unique_ptr<qemu_hypervisor>& driver(side which) {
    return drivers_[which == side::source ? 0 : 1];
  }
  void make_driver(side which) {
    driver(which) = std::make_unique<qemu_hypervisor>(loop_, settings(which));
  }

  std::string address_;
  std::filesystem::path root_;
  asio::io_context loop_;
  std::array<std::unique_ptr<qemu_hypervisor>, 2> drivers_;
};

} // namespace drover::contracts
