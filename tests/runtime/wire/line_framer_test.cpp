// Lines come out the same however the bytes were cut.
#include "runtime/wire/line_framer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

namespace {

using namespace drover;

struct framing {
  std::vector<std::string> lines;
  result<done> end = done{};
};

framing feed_all(wire::line_framer& framer, const std::vector<std::string>& chunks) {
  framing got;
  for (const auto& chunk : chunks) {
    got.end = framer.feed(chunk, [&](std::string line) { got.lines.push_back(std::move(line)); });
    if (!got.end)
      break;
  }
  return got;
}

std::vector<std::string> cut(const std::string& bytes, std::size_t most, std::mt19937& luck) {
  std::vector<std::string> chunks;
  std::uniform_int_distribution<std::size_t> size(0, most);
  for (std::size_t at = 0; at < bytes.size(); at += chunks.back().size())
    chunks.push_back(bytes.substr(at, size(luck)));
  return chunks;
}

} // namespace

TEST_CASE("any chunking of a stream gives the same lines", "[pure]") {
  std::mt19937 luck(20240607);
  std::uniform_int_distribution<int> length(0, 60), character(1, 255), end(0, 1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> lines(20);
    std::string bytes;
    for (auto& line : lines) {
      for (int n = length(luck); n > 0; --n)
        line += static_cast<char>(character(luck));
      std::erase_if(line, [](char c) { return c == '\n' || c == '\r'; });
      bytes += line + (end(luck) ? "\n" : "\r\n");
    }
    wire::line_framer framer(60);
    const auto got = feed_all(framer, cut(bytes, static_cast<std::size_t>(1 + round), luck));
    CAPTURE(round);
    REQUIRE(got.end);
    REQUIRE(got.lines == lines);
    REQUIRE(framer.pending() == 0);
  }
}

TEST_CASE("a line as long as the limit passes and one byte more breaks the framer", "[pure]") {
  for (const std::string& end : {std::string("\n"), std::string("\r\n")}) {
    for (std::size_t size : {99u, 100u, 101u, 102u, 5000u}) {
      wire::line_framer framer(100);
      const auto got = feed_all(framer, {"first\n", std::string(size, 'x'), end, "after\n"});
      CAPTURE(size, end.size());
      if (size <= 100) {
        CHECK(got.end);
        CHECK(got.lines.size() == 3);
      } else {
        REQUIRE_FALSE(got.end);
        CHECK(got.end.error() == error{errc::invalid, "a line of more than 100 bytes", {}});
        CHECK(got.lines == std::vector<std::string>{"first"});
        CHECK_FALSE(framer.feed("again\n", [](const std::string&) { FAIL("broken for good"); }));
      }
    }
  }
}

TEST_CASE("a line that never ends is refused before it fills the memory", "[pure]") {
  wire::line_framer framer(1000);
  std::size_t fed = 0;
  while (fed < 1000000 && framer.feed(std::string(100, 'x'), [](const std::string&) {}))
    fed += 100;
  CHECK(fed == 1000);
}

TEST_CASE("a NUL byte is refused and the lines before it are delivered", "[pure]") {
  wire::line_framer framer(100);
  const auto got = feed_all(framer, {std::string("one\ntw\0o\nthree\n", 15)});
  REQUIRE_FALSE(got.end);
  CHECK(got.end.error().what == "a line with a NUL byte");
  CHECK(got.lines == std::vector<std::string>{"one"});
}

TEST_CASE("a cut-off line is known as pending", "[pure]") {
  wire::line_framer framer(100);
  const auto got = feed_all(framer, {"one\n\ntwo"});
  CHECK(got.lines == std::vector<std::string>{"one", ""});
  CHECK(framer.pending() == 3);
}

TEST_CASE("a carriage return inside a line stays", "[pure]") {
  wire::line_framer framer(100);
  CHECK(feed_all(framer, {"a\rb\r", "\r\n"}).lines == std::vector<std::string>{"a\rb\r"});
}
