#include "tests/system/ssh_lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

namespace drover::testing {

using namespace std::chrono_literals;

namespace {

void replace(std::string& text, const std::string& word, const std::string& by) {
  const auto at = text.find(word);
  INFO("README.md's forced command has no longer: " << word);
  REQUIRE(at != std::string::npos);
  text.replace(at, word.size(), by);
}

} // namespace

ssh_lab::ssh_lab() {
  std::filesystem::create_directories(directory_.path() / "store/nodes/n1/qemu-server");
  std::filesystem::create_directories(directory_.path() / "run");
  std::filesystem::permissions(directory_.path() / "run", std::filesystem::perms{0750});
  cluster_ = {
    {"name", "ssh-lab"},
    {"store", {{"path", "store"}}},
    {"link", "ssh"},
    {"accel", "tcg"},
    {"ssh", {{"user", test_sshd::user()}, {"identity_file", sshd_.identity()}}},
    {"nodes",
     {{"n1",
       {{"host", "127.0.0.1"},
        {"port", sshd_.port()},
        {"agent", DROVER_AGENT_PROGRAM},
        {"run_dir", "run"},
        {"memory", "1G"}}}}}};
  write();
}

ssh_lab::~ssh_lab() {
  for (const auto pid : processes_with(directory_.path().string()))
    kill(pid, SIGKILL);
}

void ssh_lab::write() const { std::ofstream{directory_.path() / "rack.json"} << cluster_.dump(2); }

finished_program ssh_lab::run(std::vector<std::string> words) const {
  std::vector<std::string> argv{
    DROVER_PROGRAM, "--cluster", (directory_.path() / "rack.json").string(), "--state-dir",
    (directory_.path() / "state").string()};
  argv.insert(argv.end(), words.begin(), words.end());
  auto ended = run_program(argv, 60s);
  CHECK_FALSE(ended.timed_out);
  return ended;
}

std::string ssh_lab::fingerprint() const {
  const auto listed = run_program({"ssh-keygen", "-lf", sshd_.file("host_ed25519.pub")}, 20s);
  const auto begin = listed.out.find("SHA256:");
  REQUIRE(begin != std::string::npos);
  return listed.out.substr(begin, listed.out.find(' ', begin) - begin);
}

void ssh_lab::change_host_key() {
  sshd_.kill_all();
  std::filesystem::remove(sshd_.file("host_ed25519"));
  std::filesystem::remove(sshd_.file("host_ed25519.pub"));
  make_key(sshd_.file("host_ed25519"));
  sshd_.start();
}

void ssh_lab::set(const std::string& pointer, const std::string& value) {
  cluster_[nlohmann::json::json_pointer{pointer}] = value;
  write();
}

void ssh_lab::restrict_login(const std::string& forced_command) {
  auto command = forced_command;
  replace(command, "/usr/bin/drover-agent", DROVER_AGENT_PROGRAM);
  replace(command, "node1", "n1");
  replace(command, "/run/drover", (directory_.path() / "run").string());
  replace(command, "/etc/pve", (directory_.path() / "store").string());
  replace(command, "198.51.100.1", "127.0.0.1");
  write_text(
    sshd_.file("authorized_keys"),
    "restrict,command=\"" + command + "\" " + text_of(sshd_.identity() + ".pub"));
}

std::string ssh_lab::room_of(pid_t program) {
  const std::string prefix = "/tmp/drover-";
  for (const auto pid : processes_with(prefix)) {
    const auto about = "/proc/" + std::to_string(pid);
    if (
      text_of(about + "/status").find("PPid:\t" + std::to_string(program) + "\n") ==
      std::string::npos)
      continue;
    const auto line = text_of(about + "/cmdline");
    const auto at = line.find(prefix);
    if (at != std::string::npos)
      return line.substr(at, line.find('/', at + prefix.size()) - at);
  }
  return {};
}

std::vector<std::string> ssh_lab::networks(const std::string& room) {
  const auto tag = room.substr(room.size() - std::min<std::size_t>(room.size(), 6));
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& [folder, prefix] :
       {std::pair<const char*, std::string>{"/run/netns", "drover-"},
        std::pair<const char*, std::string>{"/sys/class/net", "dv"}})
    for (const auto& entry : std::filesystem::directory_iterator{folder, ignored})
      if (entry.path().filename().string().starts_with(prefix + tag))
        found.push_back(entry.path().string());
  return found;
}

std::string readme_forced_command() {
  const auto text = text_of(DROVER_SCENARIOS "/../README.md");
  const std::string begin = "restrict,command=\"";
  const auto at = text.find(begin);
  REQUIRE(at != std::string::npos);
  const auto from = at + begin.size();
  return text.substr(from, text.find('"', from) - from);
}

} // namespace drover::testing
