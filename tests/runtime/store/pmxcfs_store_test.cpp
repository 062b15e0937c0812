#include "runtime/store/pmxcfs_store.hpp"

#include "tests/contracts/store_rig.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace drover {
namespace {

namespace fs = std::filesystem;
using contracts::code_of;
using contracts::node_calls;
using contracts::pmxcfs_cluster;

const vm_id vm{100};

pmxcfs_options default_options() { return {{}, {}, milliseconds{120'000}, std::nullopt}; }

/// A named pipe in the place of a config: to open it hangs, as on a pmxcfs whose node died.
class hanging_config {
public:
  explicit hanging_config(const fs::path& file) : file_(file) {
    fs::create_directories(file.parent_path());
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  }
  ~hanging_config() { release(); }
  hanging_config(const hanging_config&) = delete;
  hanging_config& operator=(const hanging_config&) = delete;

  /// Lets whoever hangs in it go on, with an empty text; nobody hangs any more.
  void release() {
    if (const int fd = ::open(file_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC); fd >= 0) {
      std::error_code ignored;
      fs::remove(file_, ignored);
      ::close(fd);
    }
  }

private:
  fs::path file_;
};

} // namespace

TEST_CASE("a directory that hangs is answered by timeout, and works again afterwards") {
  pmxcfs_cluster cluster(1, default_options(), milliseconds{200});
  node_calls calls(cluster, 0);
  hanging_config config(cluster.directory() / "nodes/n1/qemu-server/100.conf");
  CHECK(code_of(calls.config(vm, 0)) == "timeout");
  CHECK(calls.barrier() == "timeout");
  config.release();
  contracts::wait_for(cluster, [&] { return calls.barrier() == "ok"; });
}

TEST_CASE("a store goes although its directory hangs, and owes no answer then") {
  pmxcfs_cluster cluster(1, default_options());
  hanging_config config(cluster.directory() / "nodes/n1/qemu-server/100.conf");
  bool answered = false;
  cluster.at(0).read_config(vm, node_id{"n1"}, [&](auto) { answered = true; });
  cluster.at(0).barrier([&](auto) { answered = true; });
  cluster.step();
  const auto begun = monotonic_now();
  cluster.remove(0);
  CHECK(monotonic_now() - begun < std::chrono::seconds(10));
  config.release();
  for (int round = 0; round < 5; ++round)
    cluster.step();
  CHECK_FALSE(answered);
}

TEST_CASE("each call is one trace event with its times, and tells whether it went well") {
  std::vector<store_operation> seen;
  pmxcfs_cluster cluster(
    1, default_options(), milliseconds{20'000},
    [&](const store_operation& operation) { seen.push_back(operation); });
  node_calls calls(cluster, 0);
  REQUIRE(calls.create(vm, 0, "name: a\n") == "ok");
  REQUIRE(calls.create(vm, 0, "name: a\n") == "conflict");
  REQUIRE(calls.move(vm, 0, 1) == "ok");
  REQUIRE(calls.barrier() == "ok");
  REQUIRE(seen.size() == 4);
  const std::vector<std::string> names{"create_config", "create_config", "move_config", "barrier"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    CHECK(seen[i].operation == names[i]);
    CHECK(seen[i].node == node_id{"n1"});
    CHECK(seen[i].vm == (i < 3 ? vm : vm_id{}));
    CHECK(seen[i].begin <= seen[i].end);
    CHECK(seen[i].ok == (i != 1));
    CHECK((i == 0 || seen[i - 1].end <= seen[i].begin));
  }
}

TEST_CASE("a directory that is not there is an error of each call until it is") {
  pmxcfs_options options = default_options();
  const contracts::temporary_directory parent;
  options.directory = parent.path() / "later" / "cluster";
  pmxcfs_cluster cluster(1, options);
  node_calls calls(cluster, 0);
  CHECK(calls.barrier() == "invalid");
  fs::create_directory(parent.path() / "later");
  CHECK(calls.barrier() == "ok");
}

TEST_CASE("a callback and what it holds die on the loop's thread") {
  pmxcfs_cluster cluster(1, default_options());
  const auto loop_thread = std::this_thread::get_id();
  auto died_on = std::make_shared<std::thread::id>();
  {
    const std::shared_ptr<int> held(new int(0), [died_on](const int* p) {
      *died_on = std::this_thread::get_id();
      delete p;
    });
    cluster.at(0).barrier([held](auto) {});
  }
  contracts::wait_for(cluster, [&] { return *died_on != std::thread::id{}; });
  CHECK(*died_on == loop_thread);
}

} // namespace drover
