// What a person or a wire can get wrong: one clear error, a non-zero exit, no crash, no hang, and
// nothing is touched.
#include "tests/system/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

/// The program ends with `code` and one line on standard error that holds every `part`.
void check_refused(const std::vector<std::string>& argv, const std::vector<std::string>& parts) {
  std::string words;
  for (const auto& w : argv)
    words += " " + w;
  const auto ended = run_program(argv, 40s);
  INFO(words << "\n" << ended.out << ended.err);
  CHECK_FALSE(ended.timed_out);
  CHECK(ended.exit_code >= 1);
  CHECK(ended.exit_code <= 6);
  CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
  CHECK(ended.err.rfind("drover: ", 0) == 0);
  for (const auto& part : parts) {
    INFO("expected in the message: " << part);
    CHECK(ended.err.find(part) != std::string::npos);
  }
}

std::string write(const temporary_directory& in, const std::string& name, const std::string& text) {
  const auto path = (in.path() / name).string();
  std::ofstream{path} << text;
  return path;
}

const std::string drover_program = DROVER_PROGRAM;

std::vector<std::string> with_cluster(const std::string& file) {
  return {drover_program, "--cluster", file, "status"};
}

} // namespace

TEST_CASE("a broken cluster file is refused with its place", "[system]") {
  const temporary_directory directory;
  const std::string node = R"("run_dir":"n1","memory":"1G")";
  const auto file = [&](const std::string& text) { return write(directory, "lab.json", text); };
  const auto nodes = [&](const std::string& inner) {
    return R"({"name":"lab","store":{"path":"store"},"nodes":)" + inner + "}";
  };
  check_refused(with_cluster((directory.path() / "none.json").string()), {"none.json"});
  check_refused(with_cluster(file("{\"name\": ")), {"lab.json"});
  check_refused(with_cluster(file("[]")), {"lab.json"});
  check_refused(with_cluster(file(nodes("{}"))), {"lab.json", "/nodes"});
  check_refused(
    with_cluster(file(nodes(R"({"n1":{"memory":"1G"}})"))), {"lab.json", "/nodes/n1", "run_dir"});
  check_refused(
    with_cluster(file(nodes(R"({"n1":{"run_dir":"n1","memory":"much"}})"))),
    {"lab.json", "/nodes/n1/memory"});
  check_refused(with_cluster(file(nodes(R"({"n 1":{)" + node + "}}"))), {"lab.json", "n 1"});
  check_refused(
    with_cluster(file(nodes(R"({"n1":{)" + node + R"(,"memry":1}})"))), {"lab.json", "memry"});
  check_refused(
    with_cluster(file(nodes(R"({"n1":{)" + node + R"(},"n2":{)" + node + "}}"))),
    {"lab.json", "run_dir"});
  check_refused(
    with_cluster(file(R"({"name":"lab","store":{"kind":"floppy","path":"s"},"nodes":{}})")),
    {"lab.json", "/store/kind", "floppy"});
}

TEST_CASE("a broken scenario is refused with its place", "[system]") {
  const temporary_directory directory;
  const auto run = [&](const std::string& text) {
    return std::vector<std::string>{drover_program, "run", write(directory, "s.json", text)};
  };
  const std::string cluster = R"("cluster":{"nodes":{"n1":{"memory":"1G"},"n2":{"memory":"1G"}}})";
  const std::string vms = R"("vms":[{"first":100,"node":"n1"}])";
  check_refused({drover_program, "run", (directory.path() / "none.json").string()}, {"none.json"});
  check_refused(run("{"), {"s.json"});
  check_refused(
    run("{" + cluster + "," + vms + R"(,"actions":[],"expect":{}})"), {"s.json", "why"});
  check_refused(
    run(
      R"({"why":"It shows that a broken file is refused.",)" + cluster +
      R"(,"vms":[{"first":100,"node":"n9"}],"actions":[],"expect":{}})"),
    {"s.json", "/vms/0/node", "n9"});
  check_refused(
    run(
      R"({"why":"It shows that a broken file is refused.",)" + cluster + "," + vms +
      R"(,"actions":[{"at_ms":0,"explode":"n1"}],"expect":{}})"),
    {"s.json", "/actions/0"});
  check_refused(
    run(
      R"({"why":"It shows that a broken file is refused.",)" + cluster + "," + vms +
      R"(,"actions":[{"when":{"event":"no_such"},"evacuate":"n1"}],"expect":{}})"),
    {"s.json", "/actions/0/when/event", "no such event"});
  check_refused(
    run(
      R"({"why":"It shows that a broken file is refused.",)" + cluster + "," + vms +
      R"(,"actions":[{"at_ms":0,"evacuate":"n1"}],"expect":{"exit_code":0,"moved":"all"}})"),
    {"s.json", "/expect/moved"});
}

TEST_CASE("flags that cannot be meant are refused", "[system]") {
  const lab l{{{100, "n1", 64, 1, 0}}};
  check_refused(l.command({"evacuate", "n7"}), {"n7", "n1, n2, n3"});
  check_refused(l.command({"evacuate", "n1", "--to", "n8"}), {"n8"});
  check_refused(l.command({"evacuate", "n1", "--policy", "hope"}), {"hope", "ticket"});
  check_refused(l.command({"migrate", "999", "n2"}), {"999"});
  check_refused(l.command({"evacuate", "n1", "--metrics", "0.0.0.0:9187"}), {"0.0.0.0"});
  check_refused(l.command({"evacuate", "n1", "--metrics", "127.0.0.1:none"}), {"none"});
  check_refused(l.command({"evacuate", "n1", "--trace", "/no/such/dir/trace"}), {"/no/such/dir"});
  check_refused(l.command({"status", "n9"}), {"n9"});
  CHECK(std::filesystem::exists(l.config_path("n1", 100)));
}

TEST_CASE("a VM config that cannot be read stays where it is and stops no other VM", "[system]") {
  lab l{{{100, "n1", 64, 1, 0}, {101, "n1", 64, 1, 0}}};
  l.start_all();
  std::ofstream{l.config_path("n1", 102)} << "memory 512\nname: broken\n";
  const auto started = l.run({"vm", "start", "102"}, 40s);
  CHECK(started.exit_code == 1);
  CHECK(started.out.find("102.conf") != std::string::npos);
  std::ofstream{l.config_path("n1", 101), std::ios::app} << "memory: lots\n";
  const auto result = l.run_json({"evacuate", "n1"}, 90s);
  INFO(result.dump(2));
  CHECK(result.at("exit_code") == 2);
  CHECK(result.at("moved") == 1);
  CHECK(std::filesystem::exists(l.config_path("n1", 101)));
  CHECK(l.beacons().wait_for_beats(drover::vm_id{101}, 3, 20s));
}

TEST_CASE("garbage on the wire is answered with an error, and the agent goes on", "[system]") {
  const temporary_directory directory;
  const auto run_dir = directory.path() / "n1";
  std::filesystem::create_directories(run_dir);
  const auto store = directory.path() / "store";
  std::filesystem::create_directories(store);
  const std::string hello = R"({"jsonrpc":"2.0","id":"h","method":"hello","deadline_ms":5000,)"
                            R"("params":{"protocol":1,"controller":"test"}})";
  for (
    const std::string garbage :
    {"not json", "{}", "[1,2]", R"({"jsonrpc":"2.0","id":"x","method":"explode"})",
     R"({"jsonrpc":"2.0","id":"x","method":"stop_vm","deadline_ms":5,"params":{"vm":"many"}})"}) {
    const auto script = write(directory, "lines", garbage + "\n" + hello + "\n");
    const auto ended = run_program(
      {"sh", "-c",
       "cat " + script + " | " DROVER_AGENT_PROGRAM " --stdio --node n1 --run-dir " +
         run_dir.string() + " --store pmxcfs:" + store.string() + " --address 127.0.0.1"},
      30s);
    INFO(garbage << "\n" << ended.out << ended.err);
    CHECK_FALSE(ended.timed_out);
    CHECK(ended.exit_code == 0);
    CHECK(ended.out.find("\"error\"") != std::string::npos);
    CHECK(ended.out.find("\"hello_reply\"") != std::string::npos);
  }
  const auto flag = run_program({DROVER_AGENT_PROGRAM, "--stdio", "--node", "n1"}, 20s);
  CHECK(flag.exit_code == 1);
  CHECK(std::count(flag.err.begin(), flag.err.end(), '\n') == 1);
}
