#include "metrics/metrics_file.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <unistd.h>

using namespace drover;

namespace {

/// A directory that goes away with the test.
class scratch {
public:
  scratch() {
    std::string name = std::filesystem::temp_directory_path() / "drover-prom-XXXXXX";
    REQUIRE(mkdtemp(name.data()));
    path_ = name;
  }
  ~scratch() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ / name; }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{path_}, {}));
  }

private:
  std::filesystem::path path_;
};

std::string content(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

TEST_CASE("a metrics file holds the first state at once and the last one at the end", "[metrics]") {
  const scratch room;
  std::atomic<int> value{1};
  auto file = metrics_file::open(
    room.file("drover.prom"), [&value] { return "x " + std::to_string(value) + "\n"; }, 3600);
  REQUIRE(file);
  CHECK(content(room.file("drover.prom")) == "x 1\n");
  value = 2;
  CHECK((*file)->close());
  CHECK(content(room.file("drover.prom")) == "x 2\n");
  CHECK(room.files() == 1);
}

TEST_CASE("a metrics file is never seen half written", "[metrics]") {
  const scratch room;
  const std::string whole(200'000, 'a');
  const auto path = room.file("drover.prom");
  const auto write_once = [&] {
    return metrics_file::open(
             path, [&whole] { return whole; }, 3600)
      .has_value();
  };
  REQUIRE(write_once());
  std::atomic<bool> ended{false};
  std::atomic<bool> all_written{true};
  std::jthread writer{[&] {
    for (int i = 0; i < 200; ++i)
      all_written = write_once() && all_written;
    ended = true;
  }};
  while (!ended)
    REQUIRE(content(path).size() == whole.size());
  CHECK(all_written);
}

TEST_CASE("a metrics file that the collector would not read is refused", "[metrics]") {
  const scratch room;
  const auto text = [] { return std::string{"x 1\n"}; };
  const auto named = metrics_file::open(room.file("drover.txt"), text);
  REQUIRE_FALSE(named);
  CHECK(named.error().code == errc::invalid);
  CHECK(named.error().what.find("must end with .prom") != std::string::npos);
  const auto placed = metrics_file::open(room.file("none/drover.prom"), text);
  REQUIRE_FALSE(placed);
  CHECK(placed.error().code == errc::invalid);
  std::filesystem::create_directory(room.file("taken.prom"));
  std::ofstream{room.file("taken.prom") + "/full"} << "x";
  CHECK_FALSE(metrics_file::open(room.file("taken.prom"), text));
  CHECK(room.files() == 1);
}

TEST_CASE("a metrics file that cannot be written any more tells at the end", "[metrics]") {
  const scratch room;
  std::filesystem::create_directory(room.file("sub"));
  auto file = metrics_file::open(
    room.file("sub/drover.prom"), [] { return std::string{"x 1\n"}; }, 3600);
  REQUIRE(file);
  std::filesystem::remove_all(room.file("sub"));
  CHECK_FALSE((*file)->close());
}
