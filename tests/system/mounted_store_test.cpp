// Real agents and real QEMUs on a mounted store that goes wrong while a node is emptied: what it
// refuses, hangs, answers wrongly or takes back makes no pause longer and loses no VM.
#include "tests/support/mounted_store.hpp"
#include "tests/system/lab.hpp"
#include "tests/system/trace_file.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <thread>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// Writes faster than its stream may carry, so it streams until somebody cancels it.
const lab_vm slow{150, "n1", 8192, 100, 8};

std::vector<lab_vm> some_vms(std::uint32_t count) {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < count; ++i)
    vms.push_back({100 + i, "n1", 64, 1, 0});
  return vms;
}

/// A lab whose store is mounted; absent where nothing can be mounted here, which is said.
struct mounted_lab {
  mounted_store store;
  std::unique_ptr<lab> cluster;

  explicit mounted_lab(const std::vector<lab_vm>& vms) {
    if (!store.why_not().empty()) {
      tell_skipped(store);
      return;
    }
    for (const char* node : {"n1", "n2", "n3"})
      std::filesystem::create_directories(store.files() / "nodes" / node / "qemu-server");
    cluster = std::make_unique<lab>(
      vms, json{{"path", store.path().string()}}, [this](const lab_vm& vm, const auto& text) {
        std::ofstream{config(vm.node, vm.number)} << text;
      });
    cluster->start_all();
  }

  explicit operator bool() const { return cluster != nullptr; }
  lab& operator*() const { return *cluster; }
  lab* operator->() const { return cluster.get(); }

  std::filesystem::path config(const std::string& node, std::uint32_t vm) const {
    return store.files() / "nodes" / node / "qemu-server" / (std::to_string(vm) + ".conf");
  }

  std::vector<std::string> evacuate(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"evacuate", "n1",      "-o",
                                   "json",     "--trace", trace().path().string()};
    words.insert(words.end(), more.begin(), more.end());
    return cluster->command(words);
  }
  trace_file trace() const { return trace_file{cluster->directory() / "trace"}; }

  /// All have left n1.
  void require_all_settled() {
    std::set<std::uint32_t> all;
    for (const auto& vm : cluster->vms())
      all.insert(vm.number);
    require_settled(all, {"n2", "n3"});
  }

  /// Each runs on one of these nodes, which owns it; nothing in the cluster is unfinished.
  void require_settled(const std::set<std::uint32_t>& vms, const std::set<std::string>& nodes) {
    const auto listed = cluster->run_json({"vm", "list"}, 60s);
    std::map<std::uint32_t, std::vector<json>> copies;
    for (const auto& vm : listed.at("vms"))
      copies[vm.at("vmid")].push_back(vm);
    INFO(listed.dump(2));
    for (const auto vm : vms) {
      INFO("VM " << vm);
      REQUIRE(cluster->beacons().wait_for_beats(vm_id{vm}, 5, 30s));
      CHECK(cluster->beacons().report(vm_id{vm})->contiguous());
      REQUIRE(copies[vm].size() == 1);
      const auto& copy = copies[vm].front();
      CHECK(copy.at("state") == "running");
      CHECK(nodes.contains(copy.at("node")));
      CHECK(copy.at("config_here") == true);
      CHECK(copy.at("lock") == "");
    }
    const auto status = cluster->run_json({"status"}, 60s);
    INFO(status.dump(2));
    CHECK(status.at("unfinished").empty());
  }
};

json result_of(const finished_program& ended) {
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  auto result = json::parse(ended.out, nullptr, false);
  REQUIRE(result.is_object());
  return result;
}

/// It ran on all the while: a VM that was paused for the store would have been silent.
void check_beats_on(lab& l, const lab_vm& vm, std::chrono::seconds how_long) {
  INFO("VM " << vm.number);
  const auto until = std::chrono::steady_clock::now() + how_long;
  while (std::chrono::steady_clock::now() < until)
    REQUIRE(l.beacons().wait_for_beats(vm_id{vm.number}, 10, 5s));
}

} // namespace

TEST_CASE("a store that refuses writes lets no VM be paused, and says why", "[system]") {
  mounted_lab l{some_vms(3)};
  if (!l)
    return;
  const std::map<std::string, std::string> refusals{
    {"EACCES", "Permission denied"}, {"EROFS", "Read-only file system"}};
  for (const auto& [refusal, reason] : refusals) {
    l.store.tell("refuse " + refusal);
    const auto ended = run_program(l.evacuate(), 120s);
    INFO(ended.out << ended.err);
    l.store.tell("clear");
    CHECK(ended.exit_code != 0);
    CHECK((ended.out + ended.err).find(reason) != std::string::npos);
    for (const auto& vm : l->vms()) {
      CHECK(std::filesystem::exists(l.config("n1", vm.number)));
      CHECK(l->beacons().report(vm_id{vm.number})->contiguous());
    }
  }
  const auto result = result_of(run_program(l.evacuate(), 120s));
  CHECK(result.at("moved") == 3);
  l.require_all_settled();
}

TEST_CASE("a store that stops taking writes while memory flows lets no VM be paused", "[system]") {
  mounted_lab l{{slow}};
  if (!l)
    return;
  running_program controller{l.evacuate()};
  REQUIRE(l.trace().wait_for({{"event", "phase_changed"}, {"to", "streaming"}}, 1, 60s));
  l.store.tell("refuse EACCES");
  const bool stayed = l.trace().wait_for({{"event", "phase_changed"}, {"to", "reverting"}}, 1, 60s);
  l.store.tell("clear");
  const auto ended = controller.finish(120s);
  const auto result = result_of(ended);
  INFO(ended.out << ended.err);
  CHECK(stayed);
  CHECK(ended.exit_code == 2);
  CHECK(ended.out.find("not paused while the store takes no writes") != std::string::npos);
  const auto report = l->beacons().report(vm_id{slow.number});
  REQUIRE(l->beacons().wait_for_beats(vm_id{slow.number}, 5, 30s));
  CHECK(report->contiguous());
  CHECK(std::filesystem::exists(l.config("n1", slow.number)));
  const auto status = l->run_json({"status"}, 60s);
  INFO(status.dump(2));
  CHECK(status.at("unfinished").empty());
}

TEST_CASE(
  "a store that fails inside the window keeps no VM paused, and is told later", "[system]") {
  struct fault {
    const char* command;
    std::chrono::seconds lasting;
  };
  for (const auto& [command, lasting] :
       {fault{"refuse EACCES", 15s}, fault{"hang writes", 8s}, fault{"hang writes EBUSY", 8s},
        fault{"hang all", 8s}, fault{"lie ECONNABORTED", 3s}}) {
    INFO(command);
    const auto vms = some_vms(1);
    mounted_lab l{vms};
    if (!l)
      return;
    l.store.tell(std::string("when move ") + command);
    running_program controller{l.evacuate()};
    const bool met = l.trace().wait_for({{"event", "pause_mark"}, {"mark", "resumed"}}, 1, 60s);
    if (met)
      check_beats_on(*l, vms[0], lasting);
    const bool claimed_meanwhile =
      l.trace().wait_for({{"event", "pause_mark"}, {"mark", "claimed"}}, 1, 0s);
    l.store.tell("clear");
    const auto ended = controller.finish(120s);
    INFO(ended.out << ended.err);
    REQUIRE(met);
    CHECK(ended.exit_code == 0);
    CHECK(claimed_meanwhile == (std::string(command).find("lie") == 0));
    l.trace().check_no_pause_waited();
    l.require_all_settled();
  }
}

TEST_CASE("many VMs meet a store that fails in the middle, and none is lost", "[system]") {
  for (const char* command : {"refuse EROFS", "hang writes EPERM", "lie EBUSY"}) {
    INFO(command);
    mounted_lab l{some_vms(8)};
    if (!l)
      return;
    l.store.tell(std::string("when move ") + command);
    running_program controller{l.evacuate()};
    REQUIRE(l.trace().wait_for({{"event", "pause_mark"}, {"mark", "resumed"}}, 1, 60s));
    std::this_thread::sleep_for(8s);
    l.store.tell("clear");
    const auto first = controller.finish(200s);
    INFO(first.out << first.err);
    CHECK((first.exit_code == 0 || first.exit_code == 2));
    l.trace().check_no_pause_waited();
    if (first.exit_code == 2)
      CHECK(run_program(l.evacuate(), 120s).exit_code == 0);
    l.require_all_settled();
  }
}

TEST_CASE("a slow store whose stats are old makes no pause longer", "[system]") {
  mounted_lab l{some_vms(3)};
  if (!l)
    return;
  l.store.tell("delay 100");
  l.store.tell("stale 1000");
  const auto ended = run_program(l.evacuate(), 200s);
  INFO(ended.out << ended.err);
  CHECK(ended.exit_code == 0);
  l.trace().check_no_pause_waited();
  l.require_all_settled();
}

TEST_CASE("moves that were acknowledged and taken back are made again by who runs", "[system]") {
  auto vms = some_vms(3);
  vms.push_back(slow);
  mounted_lab l{vms};
  if (!l)
    return;
  l.store.tell("when move remember");
  running_program controller{l.evacuate()};
  REQUIRE(l.trace().wait_for({{"event", "migration_ended"}, {"result", "moved"}}, 3, 120s));
  l.store.tell("rollback");
  for (std::uint32_t vm = 100; vm < 103; ++vm)
    REQUIRE(std::filesystem::exists(l.config("n1", vm)));
  const bool again = l.store.wait_until([](const auto& f) { return f.moves >= 6; }, 60s);
  controller.signal(SIGINT);
  const auto ended = controller.finish(120s);
  INFO(ended.out << ended.err);
  CHECK(again);
  CHECK(ended.exit_code == 4);
  l.trace().check_no_pause_waited();
  l.require_settled({100, 101, 102}, {"n2", "n3"});
  l.require_settled({slow.number}, {"n1"});
}

TEST_CASE("a move taken back after the end is shown, and mended by the next command", "[system]") {
  mounted_lab l{some_vms(2)};
  if (!l)
    return;
  l.store.tell("when move remember");
  REQUIRE(run_program(l.evacuate(), 120s).exit_code == 0);
  l.store.tell("rollback");
  const auto shown = l->run_json({"status"}, 60s);
  INFO(shown.dump(2));
  CHECK(shown.at("unfinished").dump().find("but its config is elsewhere") != std::string::npos);
  const auto next = run_program(l.evacuate(), 120s);
  INFO(next.out << next.err);
  l.require_all_settled();
}
