// The file that tells how an etcd is reached, right and broken.
#include "runtime/store/etcd/etcd_file.hpp"
#include "tests/contracts/store_rig.hpp"

#include <fstream>

namespace drover {

namespace {

std::string refusal(const std::string& text) {
  const auto file = parse_etcd_file(text, "etcd.json", "/etc/drover");
  REQUIRE_FALSE(file);
  CHECK(file.error().code == errc::invalid);
  CHECK_THAT(to_string(file.error()), Catch::Contains("etcd.json"));
  return to_string(file.error());
}

} // namespace

TEST_CASE("an etcd file needs its endpoints and nothing else") {
  const auto small =
    parse_etcd_file(R"({"endpoints": ["http://127.0.0.1:2379"]})", "etcd.json", "/etc/drover");
  REQUIRE(small);
  CHECK(small->prefix == "/drover");
  const auto whole = parse_etcd_file(
    R"({"endpoints": ["https://a:1", "https://b:2"], "prefix": "/lab", "ca": "ca.pem",
        "certificate": "c.pem", "key": "/k.pem", "user": "u", "password": "p"})",
    "etcd.json", "/etc/drover");
  REQUIRE(whole);
  CHECK(whole->prefix == "/lab");
  CHECK(
    whole->reached == etcd::access{
                        {"https://a:1", "https://b:2"},
                        "/etc/drover/ca.pem",
                        "/etc/drover/c.pem",
                        "/k.pem",
                        "u",
                        "p"});
}

TEST_CASE("a broken etcd file is refused at its place") {
  using Catch::Contains;
  CHECK_THAT(refusal("{"), Contains("line 1"));
  CHECK_THAT(refusal("{}"), Contains("/endpoints"));
  CHECK_THAT(refusal(R"({"endpoints": []})"), Contains("at least one"));
  CHECK_THAT(refusal(R"({"endpoints": ["10.0.0.1"]})"), Contains("https://10.0.0.1:2379"));
  const std::string begin = R"({"endpoints": ["http://a:1"], )";
  CHECK_THAT(refusal(begin + R"("prefix": "drover"})"), Contains("/prefix"));
  CHECK_THAT(refusal(begin + R"("key": "k.pem"})"), Contains("go together"));
  CHECK_THAT(refusal(begin + R"("user": "u"})"), Contains("go together"));
  CHECK_THAT(refusal(begin + R"("pasword": "p"})"), Contains("/pasword"));
  CHECK_THAT(refusal(begin + R"("password": 7})"), Contains("/password"));
}

TEST_CASE("an etcd file with a password is private") {
  const contracts::temporary_directory directory;
  const auto path = directory.path() / "etcd.json";
  std::ofstream{path} << R"({"endpoints": ["http://a:1"], "user": "u", "password": "p"})";
  using std::filesystem::perms;
  std::filesystem::permissions(path, perms::owner_read | perms::group_read);
  const auto open = read_etcd_file(path);
  REQUIRE_FALSE(open);
  CHECK_THAT(to_string(open.error()), Catch::Contains("chmod 600"));
  std::filesystem::permissions(path, perms::owner_read);
  CHECK(read_etcd_file(path));
  CHECK_FALSE(read_etcd_file(directory.path() / "none.json"));
}

} // namespace drover
