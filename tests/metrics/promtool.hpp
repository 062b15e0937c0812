// What the tests of the metrics share: running promtool, reading a file, a file for a moment.
#pragma once

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace drover::testing {

struct outcome {
  int exit_code = -1;
  std::string output;
};

inline outcome run(const std::string& command) {
  outcome o;
  auto* pipe = popen(("(" + command + ") 2>&1").c_str(), "r");
  REQUIRE(pipe);
  std::array<char, 4096> buffer{};
  while (const auto n = fread(buffer.data(), 1, buffer.size(), pipe))
    o.output.append(buffer.data(), n);
  o.exit_code = WEXITSTATUS(pclose(pipe));
  return o;
}

inline std::string content_of(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  INFO(path);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// A file that goes away with the test.
class temporary_file {
public:
  explicit temporary_file(const std::string& text) {
    std::string name = std::filesystem::temp_directory_path() / "drover-metrics-XXXXXX";
    const int fd = mkstemp(name.data());
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(fd);
    path_ = name;
  }
  ~temporary_file() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

private:
  std::string path_;
};

} // namespace drover::testing
