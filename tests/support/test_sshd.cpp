#include "tests/support/test_sshd.hpp"

#include "tests/support/free_port.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <pwd.h>
#include <sstream>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace drover::testing {
namespace {

using clock = std::chrono::steady_clock;
constexpr std::chrono::seconds start_patience{20};

/// A socket's file is there a moment before anybody listens at it.
bool somebody_listens_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return false;
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool is_taken =
    ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return is_taken;
}

std::vector<pid_t> children_of(pid_t pid) {
  const auto text = std::to_string(pid);
  std::ifstream file("/proc/" + text + "/task/" + text + "/children");
  return {std::istream_iterator<pid_t>(file), {}};
}

void must_run(const std::vector<std::string>& argv) {
  const auto done = run_program(argv);
  if (done.exit_code != 0)
    throw std::runtime_error(argv[0] + " failed: " + done.err);
}

template <class Happened>
bool wait_until(Happened happened) {
  const auto limit = clock::now() + start_patience;
  while (!happened()) {
    if (clock::now() > limit)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

} // namespace

void make_key(const std::string& path, const std::string& type, const std::string& passphrase) {
  must_run({"ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "test", "-f", path});
}

std::string text_of(const std::string& path) {
  // Not by iterators, which throw when a process ends while its file in /proc is read.
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string test_sshd::user() {
  const auto* entry = ::getpwuid(::geteuid());
  return entry ? entry->pw_name : "root";
}

test_sshd::test_sshd(test_sshd_options options) : options_(std::move(options)) {
  if (::access("/usr/sbin/sshd", X_OK) != 0)
    throw std::runtime_error("there is no /usr/sbin/sshd: install openssh-server");
  if (::geteuid() == 0)
    ::mkdir("/run/sshd", 0755);
  for (const auto& type : options_.host_key_types)
    make_key(file("host_" + type), type);
  make_key(identity());
  write_text(file("authorized_keys"), "");
  authorize(identity() + ".pub");
  start();
}

test_sshd::~test_sshd() { kill_all(); }

void test_sshd::write_config() const {
  std::ostringstream text;
  for (const auto& line : options_.config)
    text << line << '\n';
  for (const auto& type : options_.host_key_types)
    text << "HostKey " << file("host_" + type) << '\n';
  text << "Port " << options_.port << "\nListenAddress 127.0.0.1\n"
       << "AuthorizedKeysFile " << file("authorized_keys") << '\n'
       << "PidFile none\nUsePAM no\nStrictModes no\nUseDNS no\nPrintMotd no\n"
       << "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
       // Debian's bash reads .bashrc for sshd's commands when this is its first level; that may
       // take seconds and is the machine's own.
       << "SetEnv SHLVL=2\n"
       << "PermitRootLogin prohibit-password\nLogLevel VERBOSE\n";
  write_text(file("sshd_config"), text.str());
}

void test_sshd::start() {
  const bool is_chosen = options_.port == 0;
  const auto log_before = log().size();
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (is_chosen)
      options_.port = free_port();
    write_config();
    listener_ = std::make_unique<running_program>(std::vector<std::string>{
      "/usr/sbin/sshd", "-D", "-f", file("sshd_config"), "-E", file("sshd_log")});
    const auto pid = listener_->pid();
    const auto is_listening = [this, log_before] {
      return log().find("Server listening", log_before) != std::string::npos;
    };
    // A port that somebody else took meanwhile ends it at once.
    wait_until([&is_listening, pid] {
      return is_listening() ||
             text_of("/proc/" + std::to_string(pid) + "/stat").find(") Z") != std::string::npos;
    });
    if (is_listening())
      return;
    listener_.reset();
  }
  throw std::runtime_error("sshd does not start: " + log());
}

std::string test_sshd::host_key_line(const std::string& type) const {
  std::istringstream words(text_of(file("host_" + type + ".pub")));
  std::string algorithm, key;
  words >> algorithm >> key;
  return algorithm + " " + key;
}

std::string test_sshd::known_hosts() const {
  std::string text;
  for (const auto& type : options_.host_key_types)
    text += "[127.0.0.1]:" + std::to_string(options_.port) + " " + host_key_line(type) + "\n";
  write_text(file("known_hosts"), text);
  return file("known_hosts");
}

void test_sshd::authorize(const std::string& path) const {
  write_text(file("authorized_keys"), text_of(file("authorized_keys")) + text_of(path));
}

std::string test_sshd::log() const { return text_of(file("sshd_log")); }

std::vector<pid_t> test_sshd::sessions() const {
  auto found = children_of(pid());
  for (const auto one : found)
    if (std::find(seen_.begin(), seen_.end(), one) == seen_.end())
      seen_.push_back(one);
  return found;
}

std::vector<pid_t> test_sshd::commands() const {
  std::vector<pid_t> found;
  for (const auto session : sessions())
    for (const auto one : children_of(session)) {
      // As an ordinary user, a session has one more process that runs the command.
      const bool is_sshd = text_of("/proc/" + std::to_string(one) + "/comm") == "sshd\n";
      const auto below = is_sshd ? children_of(one) : std::vector<pid_t>{one};
      found.insert(found.end(), below.begin(), below.end());
    }
  return found;
}

void test_sshd::signal_sessions(int number) const {
  sessions();
  for (const auto one : seen_)
    // A pid may have a new owner by now, so its name is looked at.
    if (text_of("/proc/" + std::to_string(one) + "/comm") == "sshd\n")
      ::kill(one, number);
}

void test_sshd::stop_listening() {
  if (!listener_)
    return;
  sessions();
  listener_.reset();
}

void test_sshd::kill_all() {
  signal_sessions(SIGKILL);
  // It reaps them, which nobody else may do in a container.
  if (listener_)
    wait_until([this] { return children_of(pid()).empty(); });
  stop_listening();
  // One that was forked in between.
  signal_sessions(SIGKILL);
}

test_ssh_agent::test_ssh_agent()
  : process_(std::make_unique<running_program>(
      std::vector<std::string>{"ssh-agent", "-D", "-a", socket()})) {
  if (!wait_until([this] { return somebody_listens_at(socket()); }))
    throw std::runtime_error("ssh-agent does not start");
}

void test_ssh_agent::add(const std::string& identity) const {
  must_run({"env", "SSH_AUTH_SOCK=" + socket(), "ssh-add", "-q", identity});
}

} // namespace drover::testing
