#include "tests/runtime/guest/qemu_rig.hpp"

#include "runtime/base/time.hpp"
#include "runtime/store/vm_config.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace drover::guest_test {

namespace {

using nlohmann::json;

constexpr milliseconds answer_timeout{30'000};
constexpr int connect_pause_ms = 5;

[[noreturn]] void give_up(const std::string& what) { throw std::runtime_error(what); }

std::vector<std::string> command_line(
  const std::string& config_text, const std::filesystem::path& qmp_path,
  const std::vector<std::string>& more_words, const std::string& accel) {
  const auto config = vm_config::parse(config_text);
  if (!config)
    give_up(to_string(config.error()));
  // The config's own keys come first, as whoever starts a VM from a config puts them.
  std::vector<std::string> words{
    "qemu-system-x86_64",
    "-no-user-config",
    "-nodefaults",
    "-display",
    "none",
    "-machine",
    config->machine(),
    "-accel",
    accel,
    "-m",
    config->get("memory").value(),
    "-qmp",
    "unix:" + qmp_path.string() + ",server=on,wait=off"};
  for (const auto& disk : config->disks()) {
    words.emplace_back("-drive");
    words.push_back("if=ide,format=raw,file=" + disk.volume);
  }
  for (auto&& word : config->args())
    words.push_back(word);
  words.insert(words.end(), more_words.begin(), more_words.end());
  return words;
}

} // namespace

scratch_dir::scratch_dir() {
  auto pattern = (std::filesystem::temp_directory_path() / "drover-guest-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    give_up("mkdtemp: " + std::generic_category().message(errno));
  path_ = pattern;
}

scratch_dir::~scratch_dir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

qemu_process::qemu_process(
  const std::string& config, const std::filesystem::path& qmp_path,
  const std::vector<std::string>& more_words, const std::string& accel) {
  auto words = command_line(config, qmp_path, more_words, accel);
  std::vector<char*> arguments;
  for (auto& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int wrong =
    ::posix_spawnp(&pid_, arguments[0], nullptr, nullptr, arguments.data(), environ);
  if (wrong != 0)
    give_up("cannot start QEMU: " + std::generic_category().message(wrong));
  try {
    connect(qmp_path);
    read_message();
    command("qmp_capabilities");
  } catch (...) {
    kill();
    throw;
  }
}

qemu_process::~qemu_process() { kill(); }

void qemu_process::connect(const std::filesystem::path& qmp_path) {
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto text = qmp_path.string();
  if (text.size() >= sizeof address.sun_path)
    give_up("the path is too long: " + text);
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  const auto deadline = monotonic_now() + answer_timeout;
  while (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      give_up("QEMU ended at its start");
    }
    if (monotonic_now() > deadline)
      give_up("QEMU has no QMP socket");
    ::poll(nullptr, 0, connect_pause_ms);
  }
}

json qemu_process::read_message() {
  const auto deadline = monotonic_now() + answer_timeout;
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      const auto message = json::parse(unread_.substr(0, end));
      unread_.erase(0, end + 1);
      return message;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - monotonic_now());
    pollfd waiting{socket_, POLLIN, 0};
    char buffer[4096];
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      give_up("QEMU does not answer");
    const auto size = ::recv(socket_, buffer, sizeof buffer, 0);
    if (size <= 0)
      give_up("QEMU closed its QMP socket");
    unread_.append(buffer, static_cast<std::size_t>(size));
  }
}

json qemu_process::command(const std::string& name, const json& arguments) {
  const auto line = json{{"execute", name}, {"arguments", arguments}}.dump() + "\n";
  if (::send(socket_, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    give_up("QEMU does not take " + name);
  for (;;) {
    auto message = read_message();
    if (message.contains("return"))
      return message["return"];
    if (message.contains("error"))
      give_up(name + ": " + message["error"].dump());
    events_.push_back(std::move(message));
  }
}

void qemu_process::await_migration(const std::string& status) {
  for (;;) {
    const auto found = std::find_if(events_.begin(), events_.end(), [&](const json& event) {
      return event["event"] == "MIGRATION" && event["data"]["status"] == status;
    });
    if (found != events_.end()) {
      events_.erase(found);
      return;
    }
    events_.push_back(read_message());
  }
}

void qemu_process::send_signal(int number) const {
  if (pid_ > 0)
    ::kill(pid_, number);
}

void qemu_process::kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  if (socket_ >= 0)
    ::close(socket_);
  socket_ = -1;
}

void migrate(qemu_process& source, qemu_process& target, const std::filesystem::path& path) {
  const json capabilities{
    {"capabilities",
     {{{"capability", "events"}, {"state", true}},
      {{"capability", "return-path"}, {"state", true}}}}};
  const json uri{{"uri", "unix:" + path.string()}};
  target.command("migrate-set-capabilities", capabilities);
  target.command("migrate-incoming", uri);
  source.command("migrate-set-capabilities", capabilities);
  source.command("migrate", uri);
  target.await_migration("completed");
  source.await_migration("completed");
  target.command("cont");
}

} // namespace drover::guest_test
