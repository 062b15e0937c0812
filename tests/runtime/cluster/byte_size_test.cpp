#include "runtime/cluster/byte_size.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace drover;

TEST_CASE("a size is a number and its unit") {
  const std::vector<std::pair<std::string, std::uint64_t>> cases{
    {"0B", 0},
    {"100B", 100},
    {"2056K", 2056 * 1024},
    {"512M", 512ULL << 20U},
    {"512MiB", 512ULL << 20U},
    {"2G", 2ULL << 30U},
    {"1.5G", 3ULL << 29U},
    {"0.25K", 256},
    {"3T", 3ULL << 40U}};
  for (const auto& [text, bytes] : cases) {
    INFO(text);
    CHECK(parse_byte_size(text) == bytes);
  }
}

TEST_CASE("what is not a size is refused with what would be right") {
  for (const std::string text :
       {"", "G", "2", "2048", "-1G", "2g", "2GB", "2 G", "1.G", ".5G", "1.2.3G", "2Gi", "1BiB",
        "0x10K", "1234567890123K", "2G\n", "NaN", "\xff"}) {
    INFO(text);
    const auto size = parse_byte_size(text);
    REQUIRE_FALSE(size.has_value());
    CHECK(size.error().code == errc::invalid);
  }
  CHECK(
    parse_byte_size("2").error().what ==
    "expected a size with its unit (B, K, M, G, T), like 2G or 512M");
  CHECK(parse_byte_size("999999999999T").error().what == "the size is too large");
}

TEST_CASE("sizes are shown in the unit that fits") {
  CHECK(format_byte_size(0) == "0 B");
  CHECK(format_byte_size(1023) == "1023 B");
  CHECK(format_byte_size(1024) == "1.0 KiB");
  CHECK(format_byte_size(2056 * 1024) == "2.0 MiB");
  CHECK(format_byte_size((1ULL << 20U) - 1) == "1.0 MiB");
  CHECK(format_byte_size(3ULL << 29U) == "1.5 GiB");
  CHECK(format_byte_size(5000ULL << 40U) == "5000.0 TiB");
}
