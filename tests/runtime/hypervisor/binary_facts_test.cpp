#include "runtime/hypervisor/binary_probe.hpp"

#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <fstream>

namespace drover {

namespace {

constexpr const char* answers =
  R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}})"
  "\n"
  R"({"return": {}, "id": 0})"
  "\n"
  R"({"return": [{"name": "pc-i440fx-7.2", "alias": "pc"}, {"name": "pc-i440fx-7.1"},)"
  R"( {"name": "pc-q35-7.2", "alias": "q35"}], "id": 1})"
  "\n"
  R"({"return": [{"state": false, "capability": "events"},)"
  R"( {"state": true, "capability": "return-path"}], "id": 2})"
  "\n";

} // namespace

TEST_CASE("a binary's answers become its version, machines and capabilities") {
  const auto facts = read_binary_facts(answers);
  REQUIRE(facts);
  CHECK(facts->version == "7.2.22");
  CHECK(facts->canonical_machine("") == "pc-i440fx-7.2");
  CHECK(facts->canonical_machine("pc") == "pc-i440fx-7.2");
  CHECK(facts->canonical_machine("q35") == "pc-q35-7.2");
  CHECK(facts->canonical_machine("pc-i440fx-7.1") == "pc-i440fx-7.1");
  CHECK(facts->canonical_machine("pc-i440fx-9.9").empty());
  CHECK(
    facts->switches.changes(switches_of_target()) == migration_switches::wanted{{"events", true}});
  CHECK(facts->switch_words.empty());
}

TEST_CASE("a binary that has no credentials, or no library for them, cannot encrypt") {
  CHECK(read_binary_facts(answers)->encryption_fault.empty());
  const std::string list = R"({"return": [{"name": "tls-creds-x509"}, {"name": "tls-creds-psk"}],)"
                           R"( "id": 3})"
                           "\n";
  CHECK(read_binary_facts(answers + list)->encryption_fault.empty());
  const std::string other = R"({"return": [{"name": "tls-creds-x509"}], "id": 3})"
                            "\n";
  CHECK(read_binary_facts(answers + other)->encryption_fault == "there is no such kind of object");
  const std::string refused =
    R"({"id": 4, "error": {"class": "GenericError", "desc": "TLS credentials support requires )"
    R"(GNUTLS"}})"
    "\n";
  CHECK(
    read_binary_facts(answers + list + refused)->encryption_fault ==
    "TLS credentials support requires GNUTLS");
  const std::string made = R"({"return": {}, "id": 4})"
                           "\n";
  CHECK(read_binary_facts(answers + list + made)->encryption_fault.empty());
}

TEST_CASE("this host's QEMU knows the words that switch on what each stream needs") {
  binary_probe probe("qemu-system-x86_64");
  REQUIRE(probe.facts());
  CHECK(probe.facts()->switch_words == words_of(switches_of_any()));
  CHECK(probe.facts()->switches.changes(switches_of_any()).empty());
}

TEST_CASE("a binary that does not know these words is asked without them") {
  const testing::temporary_directory room;
  const auto old = room.path() / "old-qemu";
  std::ofstream(old) << "#!/bin/sh\ncase \"$*\" in *-global*) echo unknown >&2; exit 1;; esac\n"
                        "exec qemu-system-x86_64 \"$@\"\n";
  std::filesystem::permissions(old, std::filesystem::perms::owner_all);
  binary_probe probe(old);
  REQUIRE(probe.facts());
  CHECK(probe.facts()->switch_words.empty());
  CHECK(probe.facts()->switches.changes(switches_of_any()) == switches_of_any());
}

TEST_CASE("this host's QEMU can encrypt") {
  binary_probe probe("qemu-system-x86_64");
  REQUIRE(probe.facts());
  CHECK(probe.facts()->encryption_fault.empty());
}

TEST_CASE("what a program that is no QEMU prints is an error") {
  const auto text = GENERATE(
    as<std::string>{}, "", "hello\n", "{}\n", "{\"return\": [1], \"id\": 1}\n",
    "{\"QMP\": {\"version\": {\"qemu\": 7}}}\n", "{\"return\": [{\"name\": 5}], \"id\": 1}\n",
    "{\"return\": [], \"id\": \"x\"}\n");
  CHECK_FALSE(read_binary_facts(text));
}

TEST_CASE("a binary that is missing or is no QEMU is refused, each time it is asked") {
  binary_probe missing("/nonexistent/qemu");
  CHECK(missing.facts().error().what == "QEMU is not installed here");
  CHECK(missing.facts().error().context == "/nonexistent/qemu");
  binary_probe other("true");
  CHECK(other.facts().error().code == errc::refused);
}

} // namespace drover
