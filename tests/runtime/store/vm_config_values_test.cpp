#include "runtime/store/vm_config_values.hpp"

#include <catch2/catch.hpp>

namespace drover::config_values {

using strings = std::vector<std::string>;

TEST_CASE("sizes are read with QEMU's suffixes and fractions") {
  CHECK(parse_size("512", 'M') == std::uint64_t{512} << 20);
  CHECK(parse_size("2056k", 'M') == 2056 * 1024);
  CHECK(parse_size("4G", 'B') == std::uint64_t{4} << 30);
  CHECK(parse_size("1.5T", 'B') == std::uint64_t{3} << 39);
  CHECK(parse_size("7", 'B') == 7);
  for (const char* wrong : {"", "G", ".5G", "-1", "4X", "4GG", "1e3", "0x10", "nan", "4 G"})
    CHECK_FALSE(parse_size(wrong, 'M'));
}

TEST_CASE("words are split as a shell splits them") {
  CHECK(split_words("") == strings{});
  CHECK(split_words("  a\tb ") == strings{"a", "b"});
  CHECK(split_words("a'b c'd \"e 'f'\"") == strings{"ab cd", "e 'f'"});
  CHECK(split_words("'' \"\"") == strings{"", ""});
  CHECK(split_words("a\\ b \"c\\\"d\" 'e\\f' \"g\\h\"") == strings{"a b", "c\"d", "e\\f", "g\\h"});
  CHECK_FALSE(split_words("'"));
  CHECK_FALSE(split_words("\\"));
  CHECK_FALSE(split_words("\"a\\"));
}

TEST_CASE("keys are told from their numbers") {
  using split = std::pair<std::string_view, std::optional<std::uint32_t>>;
  CHECK(split_key("scsi12") == split{"scsi", 12});
  CHECK(split_key("name") == split{"name", std::nullopt});
  CHECK(split_key("12") == split{"", 12});
  CHECK(split_key("x99999999999") == split{"x99999999999", std::nullopt});
  CHECK(is_disk_key("ide0"));
  CHECK_FALSE(is_disk_key("ide"));
  CHECK_FALSE(is_disk_key("efidisk0"));
  CHECK_FALSE(is_disk_key("scsihw"));
}

TEST_CASE("a bare word has the default key, wherever it stands") {
  CHECK(find_property("a=1,word,b=2", "main", "main") == "word");
  CHECK(find_property("main=x,b=2", "main", "main") == "x");
  CHECK(find_property("a=1,,b=2", "b", {}) == "2");
  CHECK(find_property("a=1", "b", {}) == std::nullopt);
}

} // namespace drover::config_values
