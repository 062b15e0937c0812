#include "runtime/hypervisor/binary_probe.hpp"

#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/qmp_session.hpp"
#include "runtime/hypervisor/spawn.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>

namespace drover {

using nlohmann::json;

namespace {

constexpr int probe_deadline_ms = 20'000;
/// Ids of the probe's questions.
constexpr int machines_list = 1;
constexpr int capabilities_list = 2;
constexpr int credentials_list = 3;
constexpr int credentials_try = 4;
constexpr std::size_t output_bytes_max = 4U << 20U;

void take_machines(const json& list, binary_facts& facts) {
  for (const auto& m : list) {
    const auto name = m.value("name", std::string{});
    facts.machines.insert(name);
    if (const auto alias = m.value("alias", std::string{}); !alias.empty())
      facts.aliases[alias] = name;
  }
}

/// Two things have to be there: the kind of object, and a library that can fill one. The kind is
/// listed by a QEMU that was built without GnuTLS as well.
void take_encryption(const json& message, binary_facts& facts) {
  const auto answer = message.find("return");
  const auto id = message.value("id", 0);
  if (id == credentials_try && answer == message.end())
    facts.encryption_fault =
      message.value("error", json::object()).value("desc", std::string{"it does not say why"});
  if (id != credentials_list || answer == message.end() || !answer->is_array())
    return;
  for (const auto& kind : *answer)
    if (kind.value("name", std::string{}) == "tls-creds-psk")
      return;
  facts.encryption_fault = "there is no such kind of object";
}

std::string version_of(const json& v) {
  return std::to_string(v.value("major", 0)) + "." + std::to_string(v.value("minor", 0)) + "." +
         std::to_string(v.value("micro", 0));
}

/// What a program's file looks like now; empty when there is none.
std::string stamp_of(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0 || ::access(path.c_str(), X_OK) != 0)
    return {};
  std::ostringstream out;
  out << s.st_ino << ' ' << s.st_size << ' ' << s.st_mtim.tv_sec << '.' << s.st_mtim.tv_nsec;
  return out.str();
}

/// The file that a program's name means; the name itself when there is none.
std::string file_of(const std::string& binary) {
  if (binary.find('/') != std::string::npos)
    return binary;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (auto file = folder + "/" + binary; !stamp_of(file).empty())
      return file;
  return binary;
}

struct pipe_pair {
  unique_fd read_end;
  unique_fd write_end;
};

pipe_pair make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return {};
  return {unique_fd(ends[0]), unique_fd(ends[1])};
}

std::string read_until_end(int fd) {
  std::string all;
  std::array<char, 65536> buffer{};
  while (all.size() < output_bytes_max) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, probe_deadline_ms) <= 0)
      break;
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n <= 0)
      break;
    all.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return all;
}

result<binary_facts> run_probe(const std::string& binary, const std::vector<std::string>& more) {
  auto input = make_pipe();
  auto output = make_pipe();
  if (!input.write_end || !output.read_end)
    return fail(errc::retry, "cannot make a pipe");
  std::vector<std::string> words{
    binary,   "-machine",      "none", "-nodefaults", "-no-user-config", "-display", "none",
    "-accel", "tcg,tb-size=1", "-qmp", "stdio"};
  words.insert(words.end(), more.begin(), more.end());
  const auto pid = spawn({std::move(words), input.read_end.get(), output.write_end.get(), -1, {}});
  input.read_end.reset();
  output.write_end.reset();
  if (!pid)
    return tl::unexpected(pid.error());
  // A reader that is already gone would raise SIGPIPE; the pipe holds these few bytes in any case,
  // and our end of the reading side keeps it open no longer than the child lives.
  const std::string commands =
    R"({"execute":"qmp_capabilities","id":0})"
    "\n"
    R"({"execute":"query-machines","id":1})"
    "\n"
    R"({"execute":"query-migrate-capabilities","id":2})"
    "\n"
    R"({"execute":"qom-list-types","arguments":{"implements":"tls-creds"},"id":3})"
    "\n"
    R"({"execute":"object-add","arguments":{"qom-type":"tls-creds-anon","id":"probe",)"
    R"("endpoint":"client"},"id":4})"
    "\n"
    R"({"execute":"quit","id":5})"
    "\n";
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  const auto written = ::write(input.write_end.get(), commands.data(), commands.size());
  ::sigaction(SIGPIPE, &before, nullptr);
  const auto text = written > 0 ? read_until_end(output.read_end.get()) : std::string{};
  ::kill(*pid, SIGKILL);
  while (::waitpid(*pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  auto facts = read_binary_facts(text);
  if (!facts)
    return fail(errc::refused, binary + " does not answer as a QEMU", facts.error().what);
  return facts;
}

/// A binary that does not know the words of the switches ends with an error.
result<binary_facts> ask_binary(const std::string& binary) {
  const auto words = words_of(switches_of_any());
  auto facts = run_probe(binary, words);
  if (facts && facts->switches.changes(switches_of_any()).empty()) {
    facts->switch_words = words;
    return facts;
  }
  return run_probe(binary, {});
}

} // namespace

std::string binary_facts::canonical_machine(std::string_view machine) const {
  const std::string name{machine.empty() ? "pc" : machine};
  if (const auto alias = aliases.find(name); alias != aliases.end())
    return alias->second;
  return machines.contains(name) ? name : std::string{};
}

result<binary_facts> read_binary_facts(std::string_view qmp_output) try {
  binary_facts facts;
  std::istringstream lines{std::string{qmp_output}};
  for (std::string line; std::getline(lines, line);) {
    const auto message = json::parse(line, nullptr, false);
    if (!message.is_object())
      return fail(errc::invalid, "not QMP", line.substr(0, 80));
    const auto version = json::json_pointer("/QMP/version/qemu");
    if (message.contains(version))
      facts.version = version_of(message.at(version));
    take_encryption(message, facts);
    const auto answer = message.find("return");
    if (answer == message.end() || !answer->is_array())
      continue;
    if (message.value("id", 0) == machines_list)
      take_machines(*answer, facts);
    if (message.value("id", 0) == capabilities_list)
      facts.switches.learn(*answer);
  }
  if (facts.version.empty() || facts.machines.empty())
    return fail(errc::invalid, "no list of machines");
  return facts;
} catch (const json::exception& e) {
  return fail(errc::invalid, "an answer of another form", e.what());
}

const result<binary_facts>& binary_probe::facts() {
  auto now = stamp_of(file_);
  if (now.empty()) {
    file_ = file_of(binary_);
    now = stamp_of(file_);
  }
  if (now.empty()) {
    stamp_.clear();
    facts_ = fail(errc::refused, "QEMU is not installed here", binary_);
  } else if (now != stamp_) {
    facts_ = ask_binary(file_);
    stamp_ = facts_ ? now : std::string{};
  }
  return facts_;
}

} // namespace drover
