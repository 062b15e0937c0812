// Two controllers at once, and a run that is paused, followed, cancelled and taken up again from
// outside. DROVER_ROUNDS=100 build/tests/system/control_test "*two controllers*" repeats the race.
#include "tests/system/lab.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// `speed_mb` slows each of them down to some seconds.
std::vector<lab_vm> some_vms(std::uint32_t count, std::uint32_t speed_mb = 0) {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < count; ++i)
    vms.push_back({100 + i, "n1", 1024, 1, speed_mb});
  return vms;
}

bool has(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    ++n;
  return n;
}

void require_each_runs_once_on(lab& l, const std::string& node) {
  const auto listed = l.run_json({"vm", "list"}, 60s);
  INFO(listed.dump(2));
  std::map<int, int> running;
  for (const auto& vm : listed.at("vms"))
    if (vm.at("state") == "running") {
      ++running[vm.at("vmid")];
      CHECK((node.empty() || vm.at("node") == node));
    }
  for (const auto& vm : l.vms()) {
    INFO("VM " << vm.number);
    CHECK(running[static_cast<int>(vm.number)] == 1);
    REQUIRE(l.beacons().wait_for_beats(vm_id{vm.number}, 3, 30s));
    CHECK(l.beacons().report(vm_id{vm.number})->contiguous());
  }
  CHECK(l.run_json({"status"}, 60s).at("unfinished").empty());
}

/// The evacuation that has not ended, or null.
json open_run(const lab& l) {
  const auto open = l.run_json({"evacuations"}, 30s).at("evacuations");
  return open.empty() ? json{} : open[0];
}

json await_state(const lab& l, const std::string& state) {
  json run;
  for (int i = 0; i < 300; ++i) {
    run = open_run(l);
    if (run.is_object() && run.at("state") == state)
      return run;
    std::this_thread::sleep_for(50ms);
  }
  FAIL("no run is " << state << ": " << run.dump());
  return run;
}

std::size_t rounds() {
  const char* wanted = std::getenv("DROVER_ROUNDS");
  return wanted == nullptr ? 5 : std::stoul(wanted);
}

/// The command with a state directory of its own, as on another machine.
std::vector<std::string> elsewhere(const lab& l, std::vector<std::string> words) {
  auto argv = l.command(std::move(words));
  for (auto& word : argv)
    if (word == (l.directory() / "state").string())
      word = (l.directory() / "elsewhere").string();
  return argv;
}

} // namespace

TEST_CASE(
  "of two controllers that start at once one runs, the other is refused by name", "[system]") {
  lab l{some_vms(3, 1)};
  l.start_all();
  std::string from = "n1";
  std::string to = "n2";
  for (std::size_t round = 0; round < rounds(); ++round) {
    INFO("round " << round);
    const std::vector<std::string> words{"evacuate", from, "--to", to, "-o", "json"};
    running_program one{l.command(words)};
    running_program other{elsewhere(l, words)};
    const auto one_pid = one.pid();
    const auto other_pid = other.pid();
    const auto one_ended = one.finish(90s);
    const auto other_ended = other.finish(90s);
    INFO(one_ended.out << one_ended.err << other_ended.out << other_ended.err);
    const bool one_won = one_ended.exit_code == 0;
    const auto& won = one_won ? one_ended : other_ended;
    const auto& lost = one_won ? other_ended : one_ended;
    REQUIRE(won.exit_code == 0);
    const auto moved = json::parse(won.out).at("moved").get<int>();
    if (lost.exit_code == 0) { // The first had ended before the second asked.
      CHECK(moved + json::parse(lost.out).at("moved").get<int>() == 3);
    } else {
      CHECK(moved == 3);
      CHECK(lost.exit_code == 1);
      CHECK(has(lost.err, "@"));
      CHECK(has(lost.err, ":" + std::to_string(one_won ? one_pid : other_pid)));
    }
    std::swap(from, to);
  }
  require_each_runs_once_on(l, from);
}

TEST_CASE("of two controllers with one state directory the second follows the first", "[system]") {
  lab l{some_vms(3)};
  l.start_all();
  std::string from = "n1";
  std::string to = "n2";
  std::set<std::string> ids;
  for (std::size_t round = 0; round < rounds(); ++round) {
    INFO("round " << round);
    const std::vector<std::string> words{"evacuate", from, "--to", to, "-o", "json"};
    running_program one{l.command(words)};
    running_program other{l.command(words)};
    const auto one_ended = one.finish(90s);
    const auto other_ended = other.finish(90s);
    INFO(one_ended.out << one_ended.err << other_ended.out << other_ended.err);
    REQUIRE(one_ended.exit_code == 0);
    REQUIRE(other_ended.exit_code == 0);
    const auto first = json::parse(one_ended.out);
    const auto second = json::parse(other_ended.out);
    const auto moved = [](const json& told) { return told.at("moved").get<int>(); };
    ids.insert({first.at("id").get<std::string>(), second.at("id").get<std::string>()});
    if (first.at("id") == second.at("id")) {
      CHECK(moved(first) == 3);
      CHECK(moved(second) == 3);
    } else { // The first had ended before the second asked, and left it nothing to do.
      CHECK(moved(first) + moved(second) == 3);
    }
    std::swap(from, to);
  }
  CHECK(l.run_json({"history"}, 30s).at("runs").size() == ids.size());
  require_each_runs_once_on(l, from);
}

TEST_CASE("a run in the background is paused, goes on, is followed and waited for", "[system]") {
  lab l{some_vms(6, 4)};
  l.start_all();
  const auto begun =
    l.run_json({"evacuate", "n1", "--detach", "--max-prepare", "1", "--max-streams", "1"}, 60s);
  const auto id = begun.at("id").get<std::string>();
  CHECK(await_state(l, "running").at("id") == id);
  CHECK(l.run_json({"evacuate", "n1", "--detach"}, 60s).at("id") == id); // Once is enough.
  const auto paused = l.run({"pause", id}, 30s);
  INFO(paused.out << paused.err);
  REQUIRE(paused.exit_code == 0);
  CHECK(open_run(l).at("state") == "paused");
  // What was under way when it was paused ends; then nothing changes any more.
  int moved = -1;
  for (int same = 0; same < 20;) {
    const int now = open_run(l).at("moved");
    same = now == moved ? same + 1 : 0;
    moved = now;
    std::this_thread::sleep_for(100ms);
  }
  CHECK(moved <= 2);
  CHECK(open_run(l).at("left").get<int>() == 6 - moved);
  CHECK(l.run({"pause", "last"}, 30s).exit_code == 0); // Twice is as good as once.

  running_program follower{l.command({"evacuate", "n1", "-o", "json"})};
  REQUIRE(follower.wait_until(
    [](const auto& seen) { return has(seen.err, "this command follows it"); }, 30s));
  running_program leaver{l.command({"wait", id})};
  REQUIRE(leaver.wait_until(
    [](const auto& seen) { return has(seen.err, "this command follows it"); }, 30s));
  leaver.signal(SIGINT);
  CHECK(leaver.finish(20s).exit_code == 5);
  REQUIRE(l.run({"resume", id}, 30s).exit_code == 0);
  const auto waited = l.run({"wait", id, "-o", "json"}, 90s);
  INFO(waited.out << waited.err);
  CHECK(waited.exit_code == 0);
  const auto followed = follower.finish(30s);
  CHECK(followed.exit_code == 0);
  CHECK(json::parse(followed.out).at("id") == id);
  CHECK(json::parse(followed.out).at("moved") == 6);
  CHECK(count_of(followed.err, "moved, pause") >= 1);
  CHECK(open_run(l).is_null());
  CHECK(l.run({"wait", id}, 30s).exit_code == 0);
  for (const auto* command : {"pause", "resume", "cancel"}) {
    const auto late = l.run({command, id}, 30s);
    CHECK(late.exit_code == 1);
    CHECK(has(late.err, "has ended: all_moved"));
  }
  require_each_runs_once_on(l, "");
}

TEST_CASE("a run in the background is cancelled, also while it is paused", "[system]") {
  lab l{some_vms(5, 4)};
  l.start_all();
  const auto id = l.run_json({"evacuate", "n1", "--detach", "--max-prepare", "1"}, 60s)
                    .at("id")
                    .get<std::string>();
  REQUIRE(l.run({"pause", id}, 30s).exit_code == 0);
  REQUIRE(l.run({"cancel", id}, 30s).exit_code == 0);
  CHECK(l.run({"wait", id}, 60s).exit_code == 4);
  const auto shown = l.run_json({"show", id}, 30s);
  CHECK(shown.at("result") == "cancelled");
  CHECK(shown.at("left") == 0);
  CHECK(shown.at("stayed").get<int>() >= 3);
  require_each_runs_once_on(l, "");
}

TEST_CASE("what goes wrong before a background run has a name is told at once", "[system]") {
  lab l{some_vms(1)};
  const auto unknown = l.run({"evacuate", "n9", "--detach"}, 30s);
  CHECK(unknown.exit_code == 1);
  CHECK(has(unknown.err, "there is no node 'n9'"));
}

TEST_CASE("a run whose controller was killed is taken up again, paused before or not", "[system]") {
  for (const bool paused : {true, false}) {
    INFO("paused before: " << paused);
    lab l{some_vms(6, 4)};
    l.start_all();
    running_program controller{
      l.command({"evacuate", "n1", "--max-prepare", "2", "--max-streams", "1"})};
    REQUIRE(controller.wait_until(
      [](const auto& seen) { return count_of(seen.err, "moved, pause") >= 2; }, 60s));
    const auto id = open_run(l).at("id").get<std::string>();
    if (paused)
      REQUIRE(l.run({"pause", id}, 30s).exit_code == 0);
    controller.signal(SIGKILL);
    controller.finish(10s);
    CHECK(open_run(l).at("state") == "interrupted");
    for (const auto* command : {"pause", "wait"}) {
      const auto nobody = l.run({command, id}, 30s);
      CHECK(nobody.exit_code == 1);
      CHECK(has(nobody.err, "drover resume " + id));
    }
    const auto resumed = l.run({"resume", id, "-o", "json"}, 120s);
    INFO(resumed.out << resumed.err);
    REQUIRE(resumed.exit_code == 0);
    const auto result = json::parse(resumed.out);
    CHECK(result.at("id") == id);
    CHECK(result.at("moved") == 6);
    const auto shown = l.run_json({"show", id}, 30s);
    CHECK(shown.at("state") == "ended");
    CHECK(shown.at("result") == "all_moved");
    CHECK(shown.at("moved") == 6);
    CHECK(l.run_json({"history"}, 30s).at("runs").size() == 1);
    CHECK(open_run(l).is_null());
    require_each_runs_once_on(l, "");
  }
}

TEST_CASE("an interrupted run is cancelled for good, or a new one takes its place", "[system]") {
  lab l{some_vms(4, 4)};
  l.start_all();
  const auto interrupt = [&l](std::size_t moved) {
    running_program controller{l.command({"evacuate", "n1", "--max-prepare", "1"})};
    REQUIRE(controller.wait_until(
      [moved](const auto& seen) { return count_of(seen.err, "moved, pause") >= moved; }, 60s));
    controller.signal(SIGKILL);
    controller.finish(10s);
    return open_run(l).at("id").get<std::string>();
  };
  const auto first = interrupt(1);
  CHECK(l.run({"cancel", first}, 30s).exit_code == 0);
  CHECK(l.run_json({"show", first}, 30s).at("result") == "cancelled");
  const auto second = interrupt(1);
  const auto last = l.run_json({"evacuate", "n1"}, 120s);
  INFO(last.dump(2));
  CHECK(l.run_json({"show", second}, 30s).at("result") == "superseded");
  CHECK(open_run(l).is_null());
  require_each_runs_once_on(l, "");
}
