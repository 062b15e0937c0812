// Agents of other versions, as processes: what still works with them, and what is said where it
// does not.
#include "runtime/wire/message.hpp"
#include "tests/system/lab.hpp"

#include <catch2/catch.hpp>
#include <fstream>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr auto patience = 90s;

/// A lab whose agents may be told to be of another version.
class skewed_lab : public lab {
public:
  explicit skewed_lab(const std::vector<lab_vm>& vms) : lab(vms) {
    json file;
    std::ifstream{cluster_file()} >> file;
    file["agent"] = DROVER_SKEWED_AGENT;
    std::ofstream{cluster_file()} << file;
    for (const auto* node : {"n1", "n2", "n3"})
      std::filesystem::permissions(run_dir(node), std::filesystem::perms::owner_all);
  }
  std::filesystem::path run_dir(const std::string& node) const { return directory() / node; }
  void make(const std::string& node, const std::string& version) const {
    std::ofstream{run_dir(node) / "skew"} << version;
  }
  std::string misunderstood(const std::string& node) const {
    std::ifstream in{run_dir(node) / "misunderstood"};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  std::string config(const std::string& node, std::uint32_t vm) const {
    std::ifstream in{config_path(node, vm)};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  void require_beating() {
    for (const auto& vm : vms()) {
      INFO("VM " << vm.number);
      REQUIRE(beacons().wait_for_beats(vm_id{vm.number}, 5, 30s));
      CHECK(beacons().report(vm_id{vm.number})->contiguous());
    }
  }
  void require_nothing_unfinished() {
    const auto status = run_json({"status"}, patience);
    INFO(status.dump(2));
    CHECK(status.at("unfinished").empty());
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string line_with(const std::string& text, const std::string& part) {
  const auto at = text.find(part);
  if (at == std::string::npos)
    return {};
  const auto begin = text.rfind('\n', at) + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

} // namespace

TEST_CASE("an older and a newer agent of one major version serve as they can", "[system]") {
  skewed_lab l{{{100, "n1"}, {101, "n1"}}};
  l.make("n1", "older");
  l.make("n2", "newer");
  l.start_all();

  const auto status = l.run_json({"status"}, patience);
  INFO(status.dump(2));
  REQUIRE(status.at("nodes").size() == 3);
  for (const auto& node : status.at("nodes"))
    CHECK(node.at("reachable") == true);
  CHECK(status.at("nodes")[0].at("vms") == 2);

  const auto check = l.run({"node", "check"}, patience);
  INFO(check.out << check.err);
  CHECK(check.exit_code == 0);
  const auto older = line_with(check.out, "0.9.0");
  CHECK(has(older, "version 0.9.0 (protocol 1.0), drover is "));
  CHECK(has(older, "without stream-tls: VMs move from and to it with --stream plain only"));
  CHECK(has(older, "without clocks: the pause of a VM that moves"));
  CHECK(has(line_with(check.out, "1.9.0"), "version 1.9.0 (protocol 1.7), drover is "));

  // What the older one lacks is said; it is not done without.
  const auto encrypted = l.run({"evacuate", "n1"}, patience);
  INFO(encrypted.out << encrypted.err);
  CHECK(encrypted.exit_code == 2);
  CHECK(has(
    line_with(encrypted.out, "VM 100 did not move"),
    "drover-agent 0.9.0 of n1 does not know stream-tls; install the version of this controller "
    "there, or use --stream plain"));
  l.require_nothing_unfinished();
  for (const auto vm : {100, 101})
    CHECK_FALSE(has(l.config("n1", static_cast<std::uint32_t>(vm)), "lock:"));

  struct journey {
    std::vector<std::string> words;
    const char* target;
  };
  for (const auto& [words, target] : std::vector<journey>{
         {{"evacuate", "n1", "--to", "n2", "--stream", "plain"}, "n2"},
         {{"evacuate", "n2", "--to", "n3"}, "n3"},
         {{"evacuate", "n3", "--to", "n2"}, "n2"},
         {{"evacuate", "n2", "--to", "n1", "--stream", "plain"}, "n1"}}) {
    const auto moved = l.run_json(words, patience);
    INFO(moved.dump(2));
    CHECK(moved.at("exit_code") == 0);
    CHECK(moved.at("moved") == 2);
    for (const auto& one : moved.at("migrations")) {
      CHECK(one.at("target") == target);
      CHECK(one.at("pause_s").is_number()); // One host, one clock.
    }
  }
  l.require_beating();
  l.require_nothing_unfinished();
  CHECK(l.misunderstood("n1").empty());
}

TEST_CASE("an agent of another major version is refused, and the others go on", "[system]") {
  const auto* version = GENERATE("other_major", "other_major_refuses");
  INFO(version);
  skewed_lab l{{{100, "n1"}, {200, "n3"}}};
  l.start_all();
  l.make("n3", version);
  const auto before = l.config("n1", 100);
  const auto own =
    std::to_string(wire::protocol_version) + "." + std::to_string(wire::protocol_minor);
  const auto names_it = [&own](const std::string& line) {
    INFO(line);
    return has(line, "n3") && has(line, "2.0") && has(line, own) &&
           has(line, "install the same version of drover here and there");
  };

  const auto status = l.run_json({"status"}, patience);
  INFO(status.dump(2));
  CHECK(status.at("nodes")[0].at("reachable") == true);
  CHECK(status.at("nodes")[1].at("reachable") == true);
  CHECK(status.at("nodes")[2].at("reachable") == false);
  CHECK(names_it(status.at("nodes")[2].at("reason")));

  const auto check = l.run({"node", "check"}, 30s);
  INFO(check.out << check.err);
  REQUIRE_FALSE(check.timed_out);
  CHECK(check.exit_code == 1);
  CHECK(has(check.out.substr(check.out.find("\nn3\n")), "2.0"));
  CHECK(has(check.out.substr(0, check.out.find("\nn3\n")), "clock"));
  CHECK_FALSE(has(check.out.substr(0, check.out.find("\nn3\n")), "missing"));

  // From it: one line, and nothing is begun.
  const auto from = l.run({"evacuate", "n3"}, patience);
  INFO(from.out << from.err);
  CHECK(from.exit_code == 1);
  CHECK(names_it(line_with(from.err, "n3 cannot be locked")));
  CHECK(from.out.empty());

  // To it alone: there is no target.
  const auto to = l.run({"evacuate", "n1", "--to", "n3"}, patience);
  INFO(to.out << to.err);
  CHECK(to.exit_code == 3);
  CHECK(names_it(line_with(to.out, "VM 100 did not move")));
  CHECK(l.config("n1", 100) == before);
  CHECK_FALSE(std::filesystem::exists(l.directory() / "store/drover/vm/100.json"));

  // Past it: the others are as usable as ever.
  const auto past = l.run_json({"evacuate", "n1"}, patience);
  INFO(past.dump(2));
  CHECK(past.at("exit_code") == 0);
  CHECK(past.at("migrations")[0].at("target") == "n2");
  l.require_beating();
  CHECK(l.misunderstood("n3").empty());
}
