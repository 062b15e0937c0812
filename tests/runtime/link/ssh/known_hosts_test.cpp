#include "runtime/link/ssh/known_hosts.hpp"

#include "runtime/link/ssh/ssh_bytes.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace drover;
using namespace drover::ssh;
using Catch::Contains;

const host_key ed25519{"ssh-ed25519", "blob", "SHA256:x"};
const std::string blob = base64("blob");
const host_names who{"n1", "host", "/k"};

std::vector<std::size_t> lines_for(const std::string& file, const std::string& name) {
  std::vector<std::size_t> lines;
  for (const auto& key : known_keys_of(file, name, {}))
    lines.push_back(key.line);
  return lines;
}

} // namespace

TEST_CASE("known_hosts names a host by its port, unless that is 22") {
  CHECK(known_hosts_name("Node1.Lab", 22) == "node1.lab");
  CHECK(known_hosts_name("10.0.0.1", 2222) == "[10.0.0.1]:2222");
  CHECK(known_hosts_name("fe80::1", 2222) == "[fe80::1]:2222");
}

TEST_CASE("a line of known_hosts is about these hosts") {
  struct row {
    const char* names;
    const char* host;
    bool is_about;
  };
  for (const auto& [names, host, is_about] : std::vector<row>{
         {"host", "host", true},
         {"HOST", "host", true},
         {"host", "host2", false},
         {"a,b,host", "host", true},
         {"[host]:22", "host", false},
         {"[host]:2222", "[host]:2222", true},
         {"*", "host", true},
         {"*.lab", "n1.lab", true},
         {"*.lab", "n1.labs", false},
         {"n?.lab", "n1.lab", true},
         {"n?.lab", "n.lab", false},
         {"*,!host", "host", false},
         {"!host,*", "host", false},
         {"!other", "host", false},
         {"*a*b*c*", "xaybzc", true},
         {"*a*b*c*", "xaybz", false},
         {"|1|x|y", "host", false},
       }) {
    CAPTURE(names, host);
    CHECK(
      lines_for(std::string{names} + " ssh-ed25519 KEY\n", host).size() == (is_about ? 1U : 0U));
  }
}

TEST_CASE("lines that say nothing are passed over") {
  const std::string file = "\n# host ssh-ed25519 KEY\n  \t\nhost\nhost ssh-ed25519\n"
                           "@cert-authority host ssh-ed25519 KEY\n@odd host ssh-ed25519 KEY\n"
                           "\thost\tssh-ed25519 KEY a comment\r\nhost ssh-ed25519 KEY2";
  CHECK(lines_for(file, "host") == std::vector<std::size_t>{8, 9});
}

TEST_CASE("a hashed name is left to whoever can hash") {
  std::string asked;
  const auto keys =
    known_keys_of("|1|s|h ssh-ed25519 KEY\n", "[h]:1", [&asked](auto hashed, const auto& name) {
      asked = std::string{hashed} + " " + name;
      return true;
    });
  CHECK(asked == "|1|s|h [h]:1");
  CHECK(keys == std::vector<known_key>{{1, "ssh-ed25519", "KEY", false}});
}

TEST_CASE("a host is asked for the keys by which it is known") {
  const auto asked = [](std::vector<known_key> known) { return host_key_types_to_ask(known); };
  CHECK(asked({}) == host_key_types);
  CHECK(
    asked({{1, "ecdsa-sha2-nistp256", "k", false}, {2, "ssh-ed25519", "k", false}}) ==
    "ssh-ed25519,ecdsa-sha2-nistp256");
  CHECK(asked({{1, "ecdsa-sha2-nistp256", "k", false}}) == "ecdsa-sha2-nistp256");
  CHECK(asked({{1, "ssh-rsa", "k", false}}) == host_key_types);
  CHECK(asked({{1, "ssh-ed25519", "k", true}}) == host_key_types);
}

TEST_CASE("a host is believed by its key and nothing else") {
  const auto text = [](const std::vector<known_key>& known) {
    const auto checked = check_host_key(known, ed25519, who);
    return checked ? std::string{"believed"} : checked.error().what;
  };
  CHECK(text({{1, "ssh-ed25519", blob, false}}) == "believed");
  CHECK(text({{1, "ssh-ed25519", "other", false}, {2, "ssh-ed25519", blob, false}}) == "believed");
  CHECK_THAT(text({}), Contains("not known") && Contains("drover node trust n1"));
  CHECK_THAT(text({{7, "ssh-ed25519", "other", false}}), Contains("CHANGED") && Contains("/k:7"));
  CHECK_THAT(text({{1, "ssh-rsa", "x", false}}), Contains("by ssh-rsa only"));
  // The bytes of the right key under another type's name are another key.
  CHECK_THAT(text({{1, "ssh-rsa", blob, false}}), Contains("by ssh-rsa only"));
  CHECK_THAT(
    text({{1, "ssh-ed25519", blob, false}, {2, "ssh-ed25519", blob, true}}),
    Contains("revoked by /k:2"));
  CHECK_THAT(text({{2, "ssh-ed25519", "other", true}}), Contains("not known"));
}

TEST_CASE("what is written to known_hosts reads back") {
  const auto line = known_hosts_line("[h]:2", ed25519);
  CHECK(line == "[h]:2 ssh-ed25519 " + blob + "\n");
  CHECK(check_host_key(known_keys_of(line, "[h]:2", {}), ed25519, who));
}
