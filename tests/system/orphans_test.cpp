// What no controller has left in order: each kind of orphan is made by hand, found by `drover
// recover`, shown, and removed where nobody can want it.
#include "tests/system/lab.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

nlohmann::json recovered(const lab& l, int expected) {
  auto told = l.run_json({"recover"}, 120s);
  INFO(told.dump(2));
  CHECK(told.at("exit_code") == expected);
  return told;
}

std::string text_of(const lab& l) {
  const auto ended = l.run({"recover", "--dry-run"}, 60s);
  INFO(ended.err);
  return ended.out;
}

/// The row that was found for this VM, with what it says.
nlohmann::json found_of(const nlohmann::json& told, int vm) {
  for (const auto& one : told.at("vms"))
    if (one.at("vmid") == vm)
      return one;
  FAIL("VM " << vm << " was not seen");
  return {};
}

pid_t pid_of(const lab& l, const std::string& node, int vm) {
  std::ifstream file{l.directory() / node / (std::to_string(vm) + ".pid")};
  pid_t pid = 0;
  file >> pid;
  REQUIRE(pid > 0);
  return pid;
}

void put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream{file} << text;
}

std::string dead_pid() {
  const auto child = ::fork();
  if (child == 0)
    ::_exit(0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  return std::to_string(child);
}

} // namespace

TEST_CASE("marks and half-written files without an owner go", "[system]") {
  lab l{{{100}}};
  l.start_all();
  const auto half = "store/nodes/n1/qemu-server/100.conf.tmp.n1." + dead_pid() + ".1";
  const std::vector<std::string> left{"n2/779.epoch", half};
  put(l.directory() / left[0], R"({"run":1,"voided":0,"seen":1,"barrier":1,"paused":0})");
  put(l.directory() / left[1], "name: half");
  const auto foreseen = text_of(l);
  INFO(foreseen);
  CHECK(foreseen.find("VM 779: no node has it; its marks on n2 would be removed") == 0);
  for (const auto& name : left)
    CHECK(fs::exists(l.directory() / name));

  const auto told = recovered(l, 0);
  CHECK(told.at("stray_marks").size() == 1);
  for (const auto& name : left) {
    INFO(name);
    CHECK_FALSE(fs::exists(l.directory() / name));
  }
  CHECK(recovered(l, 0).at("stray_marks").empty());
}

TEST_CASE("keys and sockets of streams whose QEMU is gone are shown and go", "[system]") {
  lab l{{{100}}};
  l.start_all();
  const std::vector<std::string> left{"n1/777.tls/keys.psk", "n2/778.multifd"};
  put(l.directory() / left[0], "drover-777-1:00\n");
  put(l.directory() / left[1], "");
  const auto foreseen = text_of(l);
  INFO(foreseen);
  CHECK(foreseen.find("would be removed: 777.tls") != std::string::npos);
  for (const auto& name : left)
    CHECK(fs::exists(l.directory() / name));
  CHECK(recovered(l, 0).at("litter").size() == 2);
  for (const auto& name : left) {
    INFO(name);
    CHECK_FALSE(fs::exists(l.directory() / name));
  }
  CHECK(recovered(l, 0).at("litter").empty());
}

TEST_CASE("a QEMU without config, and a config without the QEMU that should run", "[system]") {
  lab l{{{100}, {101}}};
  l.start_all();
  const auto config = l.config_path("n1", 100);
  fs::rename(config, l.directory() / "kept.conf");
  auto told = recovered(l, 6);
  const auto lost = found_of(told, 100);
  CHECK(lost.at("found") == "no config");
  CHECK(lost.at("missing") != "");
  CHECK(lost.at("command").get<std::string>().find("100.conf") != std::string::npos);
  fs::rename(l.directory() / "kept.conf", config);
  CHECK(found_of(recovered(l, 0), 100).at("verdict") == "nothing");

  std::ofstream{l.config_path("n1", 101), std::ios::app} << "onboot: 1\n";
  kill(pid_of(l, "n1", 101), SIGKILL);
  told = recovered(l, 0);
  REQUIRE(told.at("idle").size() == 1);
  CHECK(told.at("idle")[0].at("vmid") == 101);
  CHECK(text_of(l).find("VM 101: does not run on n1") != std::string::npos);
}

TEST_CASE("a lock without a migration is shown with the command that takes it away", "[system]") {
  lab l{{{100}}};
  l.start_all();
  std::ofstream{l.config_path("n1", 100), std::ios::app} << "lock: migrate\n";
  const auto locked = found_of(recovered(l, 6), 100);
  CHECK(locked.at("found") == "lock without migration");
  CHECK(locked.at("command").get<std::string>().find("qm unlock 100") == 0);
  CHECK(l.run_json({"vm", "list"}, 60s).at("vms")[0].at("state") == "running");
}

TEST_CASE("a VM that runs where its config is not gets no second copy", "[system]") {
  lab l{{{100}}};
  l.start_all();
  const auto first = pid_of(l, "n1", 100);
  fs::rename(l.config_path("n1", 100), l.config_path("n2", 100));
  const auto started = l.run({"vm", "start", "100"}, 60s);
  INFO(started.out << started.err);
  CHECK(started.exit_code == 1);
  CHECK(started.out.find("it belongs to n2, not to n1") != std::string::npos);
  const auto astray = found_of(recovered(l, 6), 100);
  INFO(astray.dump(2));
  CHECK(astray.at("verdict") == "needs_operator");
  CHECK(astray.at("command").get<std::string>().find("move its config") != std::string::npos);
  CHECK(kill(first, 0) == 0);
  // The operator does as he was told.
  fs::rename(l.config_path("n2", 100), l.config_path("n1", 100));
  CHECK(found_of(recovered(l, 0), 100).at("verdict") == "nothing");
}
