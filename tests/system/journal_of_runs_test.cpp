// What is written down of a run, while it lasts, after its end, after its controller's death, and
// where it cannot be written: the VMs move all the same.
#include "runtime/journal/sqlite_journal.hpp"
#include "tests/system/lab.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <optional>
#include <set>
#include <sys/mount.h>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::vector<lab_vm> some_vms(std::uint32_t count) {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < count; ++i)
    vms.push_back({100 + i, "n1", 64, 1, 0});
  return vms;
}

bool has(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

/// A file system of so few pages that the journal's first commits fill it.
class small_disk {
public:
  explicit small_disk(std::filesystem::path at) : at_(std::move(at)) {
    std::filesystem::create_directories(at_);
    stands_ = mount("none", at_.c_str(), "tmpfs", 0, "size=80k") == 0;
  }
  ~small_disk() {
    if (stands_)
      umount2(at_.c_str(), MNT_DETACH);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  bool stands() const { return stands_; }

private:
  std::filesystem::path at_;
  bool stands_ = false;
};

std::filesystem::path journal_of(const lab& l) {
  return l.directory() / "state" / journal_file_name;
}

} // namespace

TEST_CASE("a run is written down before, while and after it moves VMs", "[system]") {
  lab l{some_vms(4)};
  REQUIRE(l.run({"vm", "start", "100", "101", "102"}, 60s).exit_code == 0);
  CHECK(l.run({"history"}, 20s).out == "no run was written down yet\n");
  const auto moved = l.run_json({"evacuate", "n1"}, 60s);
  INFO(moved.dump(2));
  REQUIRE(moved.at("moved") == 3);
  const auto id = moved.at("id").get<std::string>();

  const auto runs = l.run_json({"history"}, 20s).at("runs");
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].at("id") == id);
  CHECK(runs[0].at("state") == "ended");
  CHECK(runs[0].at("result") == moved.at("result"));
  CHECK(runs[0].at("moved") == 3);
  CHECK(runs[0].at("stayed") == 1);
  CHECK(runs[0].at("left") == 0);
  CHECK(runs[0].at("pause_s").at("max") == moved.at("pause_s").at("max"));

  const auto shown = l.run_json({"show", "last"}, 20s);
  CHECK(shown.at("id") == id);
  CHECK(shown.at("vms").size() == 4);
  for (const auto& vm : shown.at("vms"))
    CHECK(vm.at("result") == (vm.at("vmid") == 103 ? "left_out" : "moved"));
  CHECK(has(l.run({"show", id}, 20s).out, "3 moved, 1 stayed, 0 left"));

  const auto events = l.run_json({"history", id}, 20s).at("events");
  std::map<int, std::set<std::string>> marks;
  for (const auto& e : events)
    if (e.at("event") == "pause_mark")
      marks[e.at("vm")].insert(e.at("mark"));
  for (const int vm : {100, 101, 102})
    CHECK(marks[vm].contains("resumed"));
  CHECK(l.run({"report", id, "--report", (l.directory() / "r").string()}, 20s).exit_code == 0);
  CHECK(l.run({"show", "yesterday"}, 20s).exit_code == 1);
}

TEST_CASE("after its controller was killed a run is told as interrupted", "[system]") {
  auto vms = some_vms(3);
  vms.push_back({150, "n1", 8192, 100, 8}); // Writes faster than its stream may carry.
  lab l{vms};
  l.start_all();
  running_program controller{l.command({"evacuate", "n1"})};
  REQUIRE(
    controller.wait_until([](const auto& seen) { return has(seen.err, "moved, pause"); }, 60s));
  CHECK(l.run_json({"history"}, 20s).at("runs")[0].at("state") == "running");
  controller.signal(SIGKILL);
  controller.finish(10s);
  const auto shown = l.run_json({"show", "last"}, 20s);
  INFO(shown.dump(2));
  CHECK(shown.at("state") == "interrupted");
  CHECK(shown.at("vms").size() == 4);
  CHECK(shown.at("left").get<int>() >= 1);
  // What was told before the kill is at most a moment old.
  for (const auto& vm : shown.at("vms"))
    if (vm.at("vmid") == 150)
      CHECK(vm.at("phase") != "planned");
}

TEST_CASE("a journal that cannot be used costs a warning and no VM", "[system]") {
  for (const auto* kind : {"foreign", "broken inside", "no place", "full"}) {
    INFO(kind);
    lab l{some_vms(2)};
    l.start_all();
    const std::string what = kind;
    std::optional<small_disk> full;
    if (what == "foreign") {
      std::filesystem::create_directories(l.directory() / "state");
      std::ofstream{journal_of(l)} << std::string(8192, 'x');
    } else if (what == "broken inside") {
      REQUIRE(l.run({"evacuate", "n2"}, 60s).exit_code == 0);
      std::filesystem::resize_file(journal_of(l), 5000);
    } else if (what == "no place") {
      std::ofstream{l.directory() / "state"} << "a file";
    } else {
      full.emplace(l.directory() / "state");
      if (!full->stands())
        continue; // Only root may mount.
    }
    const auto ended = l.run({"evacuate", "n1"}, 90s);
    INFO(ended.out << ended.err);
    CHECK(ended.exit_code == 0);
    CHECK(has(ended.err, "drover: warning: "));
    CHECK(has(ended.err, "the run goes on"));
    for (const auto& vm : l.vms())
      CHECK(l.beacons().wait_for_beats(vm_id{vm.number}, 3, 30s));
    if (what == "foreign" || what == "broken inside") {
      const auto told = l.run({"history"}, 20s);
      CHECK(told.exit_code == 1);
      CHECK(has(told.err, "move it away"));
    }
  }
}

TEST_CASE("a run whose journal was lost is still listed, from its report", "[system]") {
  lab l{some_vms(1)};
  l.start_all();
  const auto id = l.run_json({"evacuate", "n1"}, 60s).at("id").get<std::string>();
  std::filesystem::remove(journal_of(l));
  const auto second = l.run_json({"evacuate", "n2"}, 60s).at("id").get<std::string>();
  const auto runs = l.run_json({"history"}, 20s).at("runs");
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].at("id") == id);
  CHECK(runs[0].at("result") == "all_moved");
  CHECK(runs[0].at("moved") == 1);
  CHECK(runs[1].at("id") == second);
}
