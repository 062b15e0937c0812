// The controller dies, or is told to stop, in the middle: every VM runs on exactly once.
#include "tests/system/lab.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <map>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

/// Small ones that move quickly, and one that writes faster than its stream may carry.
std::vector<lab_vm> some_vms() {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < 12; ++i)
    vms.push_back({100 + i, "n1", 64, 1, 0});
  vms.push_back({150, "n1", 8192, 100, 8});
  return vms;
}

void require_each_runs_once(lab& l) {
  for (const auto& vm : l.vms()) {
    INFO("VM " << vm.number);
    REQUIRE(l.beacons().wait_for_beats(vm_id{vm.number}, 5, 30s));
    const auto report = l.beacons().report(vm_id{vm.number});
    INFO(to_string(*report));
    CHECK(report->contiguous());
  }
  const auto listed = l.run_json({"vm", "list"}, 60s);
  std::map<int, int> running;
  for (const auto& vm : listed.at("vms"))
    running[vm.at("vmid")] += vm.at("state") == "running" ? 1 : 0;
  for (const auto& vm : l.vms())
    CHECK(running[static_cast<int>(vm.number)] == 1);
}

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    ++n;
  return n;
}

/// The agent's run directory is a word of its command line; those of its QEMUs' files go on.
void wait_for_end_of_agent(const lab& l, const std::string& node) {
  const auto words = (l.directory() / node).string() + '\0';
  for (int i = 0; i < 600 && !processes_with(words).empty(); ++i)
    run_program({"sleep", "0.1"});
}

} // namespace

TEST_CASE("a killed controller leaves every VM running once, and nothing unfinished", "[system]") {
  struct kill {
    const char* policy;
    std::size_t moved;
  };
  for (const auto& [policy, moved] :
       {kill{"ticket", 0}, kill{"early", 3}, kill{"lock", 8}, kill{"claim", 3}, kill{"nocheck", 8},
        kill{"check", 0}, kill{"early", 0}, kill{"ticket", 8}}) {
    INFO("under " << policy << " killed after " << moved << " have moved");
    lab l{some_vms()};
    l.start_all();
    const auto trace = (l.directory() / "trace").string();
    running_program controller{l.command({"evacuate", "n1", "--policy", policy, "--trace", trace})};
    REQUIRE(controller.wait_until(
      [&](const auto& seen) {
        return count_of(seen.err, "moved, pause") >= moved &&
               (moved > 0 || !processes_with("-incoming").empty());
      },
      60s));
    controller.signal(SIGKILL);
    controller.finish(10s);
    // The agents hear that their controller is gone and bring what is in flight to an end.
    for (const auto* node : {"n1", "n2", "n3"})
      wait_for_end_of_agent(l, node);
    require_each_runs_once(l);
    const auto status = l.run_json({"status"}, 60s);
    CHECK(status.at("nodes").size() == 3);
    INFO(status.dump(2));
    CHECK(status.at("unfinished").empty());
  }
}

TEST_CASE("Ctrl-C ends an evacuation safely with exit code 4", "[system]") {
  lab l{some_vms()};
  l.start_all();
  running_program controller{l.command({"evacuate", "n1", "-o", "json"})};
  REQUIRE(controller.wait_until(
    [](const auto& seen) { return count_of(seen.err, "moved, pause") >= 2; }, 60s));
  controller.signal(SIGINT);
  const auto ended = controller.finish(90s);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  CHECK(ended.exit_code == 4);
  const auto result = nlohmann::json::parse(ended.out);
  CHECK(result.at("result") == "cancelled");
  CHECK(result.at("moved").get<int>() >= 2);
  CHECK(result.at("moved").get<std::size_t>() + result.at("stayed").size() == l.vms().size());
  require_each_runs_once(l);
  const auto status = l.run_json({"status"}, 60s);
  CHECK(status.at("unfinished").empty());
  for (const auto& node : status.at("nodes"))
    CHECK(node.at("cordon") == "");
  // What stayed can be moved by the next try.
  const int stayed = result.at("stayed")[0].at("vmid");
  REQUIRE(stayed != 150);
  const auto again = l.run_json({"migrate", std::to_string(stayed), "n2"}, 60s);
  INFO(again.dump(2));
  CHECK(again.at("exit_code") == 0);
  require_each_runs_once(l);
}

TEST_CASE("one VM is migrated there and back", "[system]") {
  lab l{{{100, "n1", 64, 1, 0}}};
  l.start_all();
  for (const auto* target : {"n2", "n3", "n1"}) {
    const auto moved = l.run_json({"migrate", "100", target}, 60s);
    INFO(moved.dump(2));
    CHECK(moved.at("exit_code") == 0);
    CHECK(moved.at("migrations")[0].at("target") == target);
    CHECK(std::filesystem::exists(l.config_path(target, 100)));
  }
  require_each_runs_once(l);
  CHECK(l.run({"migrate", "100", "n1"}, 30s).exit_code == 1);
  CHECK(l.run({"vm", "stop", "100"}, 60s).exit_code == 0);
  CHECK(l.run_json({"vm", "list"}, 30s).at("vms")[0].at("state") == "absent");
}
