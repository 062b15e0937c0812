#include "runtime/scenario/ssh_hosts.hpp"

#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/spawn.hpp"
#include "runtime/scenario/tool_run.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <pwd.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace drover {
namespace {

using namespace std::chrono_literals;

constexpr const char* sshd_program = "/usr/sbin/sshd";
constexpr auto start_patience = 10s;
constexpr auto look_again = 5ms;
/// A free port may be taken by somebody else before sshd has it.
constexpr int attempts = 5;

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string user_name() {
  const auto* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "root" : entry->pw_name;
}

/// 0 when there is none.
std::uint16_t free_port() {
  const unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), generic, size) != 0 || ::getsockname(socket.get(), generic, &size) != 0)
    return 0;
  return ntohs(address.sin_port);
}

std::vector<pid_t> children_of(pid_t pid) {
  const auto number = std::to_string(pid);
  std::istringstream words{text_of("/proc/" + number + "/task/" + number + "/children")};
  std::vector<pid_t> found;
  for (pid_t child = 0; words >> child;)
    found.push_back(child);
  return found;
}

bool has_ended(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == pid; }

} // namespace

ssh_hosts::~ssh_hosts() { close(); }

std::filesystem::path ssh_hosts::file(const node_id& node, const std::string& name) const {
  return place_ / (node.value + "." + name);
}

result<std::unique_ptr<ssh_hosts>> ssh_hosts::open(
  const std::filesystem::path& room, const std::map<node_id, host_login>& nodes) {
  if (::access(sshd_program, X_OK) != 0)
    return fail(errc::refused, "there is no /usr/sbin/sshd; install openssh-server");
  std::unique_ptr<ssh_hosts> made{new ssh_hosts{room}};
  std::error_code problem;
  std::filesystem::create_directories(made->place_, problem);
  if (::geteuid() == 0)
    ::mkdir("/run/sshd", 0755);
  made->settle(nodes, room);
  if (auto keys = made->make_keys(); !keys)
    return tl::unexpected<error>(keys.error());
  for (const auto& [node, login] : nodes)
    if (auto started = made->start(node); !started)
      return tl::unexpected<error>(started.error());
  made->write_known_hosts();
  return made;
}

void ssh_hosts::settle(
  const std::map<node_id, host_login>& nodes, const std::filesystem::path& room) {
  auto network = host_network::make(room, nodes.size());
  if (network)
    network_.emplace(std::move(*network));
  how_ = network_ ? "the hosts are network namespaces"
                  : "the hosts are ports of 127.0.0.1, because there are no network namespaces "
                    "here: " +
                      to_string(network.error());
  std::size_t index = 0;
  for (const auto& [node, login] : nodes) {
    host at{"127.0.0.1", "127.0.0.1", 0, {}, 0, index, login, {}};
    if (network_)
      at = {
        network_->login_address(index),
        network_->stream_address(index),
        22,
        network_->on(index),
        0,
        index,
        login,
        {}};
    hosts_.emplace(node, std::move(at));
    ++index;
  }
}

result<done> ssh_hosts::make_keys() {
  const auto make = [this](const std::filesystem::path& key) {
    return run_tool(
      {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "drover-scenario", "-f", key.string()},
      place_ / "keygen.log");
  };
  auto made = make(place_ / "login");
  for (const auto& [node, at] : hosts_)
    if (made)
      made = make(file(node, "host_key"));
  for (const auto& [node, at] : hosts_)
    if (made && at.login == host_login::changed_host_key)
      made = make(file(node, "former_key"));
  if (made)
    std::filesystem::copy_file(place_ / "login.pub", place_ / "authorized_keys");
  return made;
}

void ssh_hosts::write_config(const node_id& node, const host& at) const {
  std::ofstream{file(node, "sshd_config")}
    << "HostKey " << file(node, "host_key").string() << "\nPort " << at.port << "\nListenAddress "
    << at.address << "\nAuthorizedKeysFile "
    << (at.login == host_login::wrong_key ? "none" : (place_ / "authorized_keys").string())
    << "\nPidFile none\nUsePAM no\nStrictModes no\nUseDNS no\nPrintMotd no\n"
       "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
       // Debian's bash reads .bashrc for sshd's commands when this is its first level; that may
       // take seconds and is the machine's own.
       "SetEnv SHLVL=2\nPermitRootLogin prohibit-password\nLogLevel VERBOSE\n";
}

result<done> ssh_hosts::start(const node_id& node) {
  auto& at = hosts_.at(node);
  const bool is_chosen = at.port == 0;
  result<done> started = done{};
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (is_chosen)
      at.port = free_port();
    started = start_once(node, at);
    if (started || !is_chosen)
      break;
  }
  return started;
}

result<done> ssh_hosts::start_once(const node_id& node, host& at) {
  write_config(node, at);
  const auto log = file(node, "sshd_log");
  const auto log_before = text_of(log).size();
  auto argv = at.prefix;
  argv.insert(
    argv.end(), {sshd_program, "-D", "-f", file(node, "sshd_config").string(), "-E", log.string()});
  const auto pid = spawn({argv, -1, -1, -1, {}});
  if (!pid)
    return tl::unexpected<error>(pid.error());
  at.listener = *pid;
  const auto limit = monotonic_now() + start_patience;
  while (text_of(log).find("Server listening", log_before) == std::string::npos) {
    const bool is_gone = has_ended(*pid);
    if (is_gone || monotonic_now() > limit) {
      if (!is_gone)
        end(at);
      at.listener = 0;
      return fail(errc::refused, "the sshd of " + node.value + " does not start", text_of(log));
    }
    std::this_thread::sleep_for(look_again);
  }
  return done{};
}

void ssh_hosts::write_known_hosts() const {
  std::ofstream known{place_ / "known_hosts"};
  for (const auto& [node, at] : hosts_) {
    const auto name =
      at.port == 22 ? at.address : "[" + at.address + "]:" + std::to_string(at.port);
    const auto* key = at.login == host_login::changed_host_key ? "former_key.pub" : "host_key.pub";
    known << name << ' ' << text_of(file(node, key));
  }
}

void ssh_hosts::reach(cluster_file& cluster, const std::filesystem::path& agent) const {
  cluster.link = link_kind::ssh;
  cluster.ssh.known_hosts = place_ / "known_hosts";
  // A run is short, so a link that is lost is to be noticed soon.
  cluster.ssh.beat_every = 500ms;
  cluster.ssh.beat_within = 2s;
  for (auto& [id, node] : cluster.nodes) {
    const auto& at = hosts_.at(id);
    node.link = link_kind::ssh;
    node.place.host = at.address;
    node.place.port = at.port;
    node.place.user = user_name();
    node.place.identity_file = place_ / "login";
    node.place.agent = agent.string();
    node.migration_address = at.stream_address;
  }
}

/// The listener first, or it would start another session meanwhile.
void ssh_hosts::end(host& at) {
  if (at.listener == 0)
    return;
  ::kill(at.listener, SIGSTOP);
  const auto sessions = children_of(at.listener);
  ::kill(at.listener, SIGKILL);
  for (const auto session : sessions)
    ::kill(session, SIGKILL);
  ::waitpid(at.listener, nullptr, 0);
  at.listener = 0;
}

result<done> ssh_hosts::cut(const node_id& node) {
  const std::lock_guard guard{mutex_};
  end(hosts_.at(node));
  return done{};
}

result<done> ssh_hosts::stall(const node_id& node) {
  const std::lock_guard guard{mutex_};
  auto& at = hosts_.at(node);
  if (network_)
    return network_->set_login_way(at.index, false);
  if (at.listener == 0)
    return done{};
  ::kill(at.listener, SIGSTOP);
  at.stalled = children_of(at.listener);
  for (const auto session : at.stalled)
    ::kill(session, SIGSTOP);
  return done{};
}

result<done> ssh_hosts::restore(const node_id& node) {
  const std::lock_guard guard{mutex_};
  auto& at = hosts_.at(node);
  if (at.listener == 0)
    return start_once(node, at);
  if (network_)
    return network_->set_login_way(at.index, true);
  for (const auto session : std::exchange(at.stalled, {}))
    ::kill(session, SIGCONT);
  ::kill(at.listener, SIGCONT);
  return done{};
}

std::vector<std::string> ssh_hosts::close() {
  const std::lock_guard guard{mutex_};
  for (auto& [node, at] : hosts_)
    end(at);
  std::vector<std::string> left;
  if (network_)
    left = network_->close();
  network_.reset();
  return left;
}

} // namespace drover
