// A QEMU that cannot encrypt a stream: said before anything begins, and never replaced by a plain
// stream in silence.
#include "tests/system/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr auto patience = 90s;

/// On the nodes in the file "without" of the lab, QEMU answers as one that was built without
/// GnuTLS. The agent that starts it is known by its command line.
constexpr const char* wrapper = R"(#!/bin/bash
room=$(dirname "$0")
qemu=qemu-system-x86_64
node=$(tr '\0' '\n' <"/proc/$PPID/cmdline" | grep -A1 -x -e --node | tail -n 1)
case " $* " in
*" -qmp stdio "*) ;;
*) exec "$qemu" "$@" ;;
esac
grep -qx "$node" "$room/without" || exec "$qemu" "$@"
sed -u -e 's/"qom-type":"tls-creds-anon"/"qom-type":"no-such-kind"/' -e '/"quit"/q' | "$qemu" "$@"
)";

class lab_without : public lab {
public:
  lab_without(const std::vector<lab_vm>& vms, const std::string& nodes) : lab(vms) {
    const auto program = directory() / "qemu";
    std::ofstream{program} << wrapper;
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    std::ofstream{directory() / "without"} << nodes;
    json file;
    std::ifstream{cluster_file()} >> file;
    file["qemu"] = program;
    std::ofstream{cluster_file()} << file;
  }
  bool has_record(std::uint32_t vm) const {
    return std::filesystem::exists(
      directory() / "store/drover/vm" / (std::to_string(vm) + ".json"));
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("from a node that cannot encrypt no VM moves until plain is asked for", "[system]") {
  lab_without l{{{100, "n1"}, {101, "n1"}}, "n1\n"};
  l.start_all();
  for (const auto& words : std::vector<std::vector<std::string>>{
         {"evacuate", "n1"}, {"migrate", "100", "n2"}, {"evacuate", "n1", "--dry-run"}}) {
    const auto ended = l.run(words, patience);
    INFO(ended.out << ended.err);
    CHECK(ended.exit_code == 1);
    CHECK(ended.out.empty());
    CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
    CHECK(has(ended.err, "no VM leaves n1 encrypted"));
    CHECK(has(ended.err, "tls-creds-psk"));
    CHECK(has(ended.err, "--stream plain would send guest memory in the clear"));
    CHECK_FALSE(l.has_record(100));
  }
  const auto plain = l.run_json({"evacuate", "n1", "--stream", "plain"}, patience);
  INFO(plain.dump(2));
  CHECK(plain.at("moved") == 2);
  for (const auto& vm : l.vms())
    CHECK(l.beacons().wait_for_beats(vm_id{vm.number}, 3, 30s));
}

TEST_CASE("a node that cannot encrypt is no target until plain is asked for", "[system]") {
  lab_without l{{{100, "n1"}, {101, "n1"}}, "n2\n"};
  l.start_all();
  const auto only = l.run({"evacuate", "n1", "--to", "n2"}, patience);
  INFO(only.out << only.err);
  CHECK(only.exit_code == 3);
  CHECK(has(only.out, "n2: its QEMU "));
  CHECK(has(only.out, "cannot encrypt a stream with tls-creds-psk"));
  CHECK(has(only.out, "--stream plain"));
  CHECK_FALSE(l.has_record(100));
  const auto past = l.run_json({"evacuate", "n1"}, patience);
  INFO(past.dump(2));
  CHECK(past.at("moved") == 2);
  for (const auto& one : past.at("migrations"))
    CHECK(one.at("target") == "n3");
  const auto plain = l.run_json({"migrate", "100", "n2", "--stream", "plain"}, patience);
  INFO(plain.dump(2));
  CHECK(plain.at("moved") == 1);
}
