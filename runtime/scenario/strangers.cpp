#include "runtime/scenario/strangers.hpp"

#include "runtime/base/unique_fd.hpp"
#include "runtime/scenario/room_processes.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <sched.h>
#include <set>
#include <sstream>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace drover {
namespace {

constexpr std::size_t strangers_per_door = 6;
constexpr std::size_t strangers_max = 2000;
constexpr milliseconds look_again{3};
/// Longer than a token, so that a door has more to read than it asked for.
constexpr std::size_t babble_bytes = 500;

struct door {
  in_addr address{};
  std::uint16_t port = 0;
  bool operator<(const door& other) const { return port < other.port; }
};

/// "socket:[123]" of every socket that the process has.
std::set<std::string> sockets_of(pid_t pid) {
  std::set<std::string> found;
  std::error_code ignored;
  const std::filesystem::path fds = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& fd : std::filesystem::directory_iterator(fds, ignored))
    found.insert(std::filesystem::read_symlink(fd.path(), ignored).string());
  return found;
}

/// The IPv4 sockets on which the process listens; /proc writes addresses in hexadecimal, in this
/// machine's order of bytes, and ports in the usual one.
std::set<door> doors_of(pid_t pid) {
  std::set<door> doors;
  const auto sockets = sockets_of(pid);
  std::ifstream table("/proc/" + std::to_string(pid) + "/net/tcp");
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state, word, inode;
    words >> number >> local >> remote >> state;
    for (int i = 0; i < 5; ++i)
      words >> word;
    words >> inode;
    if (state != "0A" || !sockets.contains("socket:[" + inode + "]"))
      continue;
    door found;
    const auto colon = local.find(':');
    std::from_chars(local.data(), local.data() + colon, found.address.s_addr, 16);
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), found.port, 16);
    doors.insert(found);
  }
  return doors;
}

/// The calling thread goes to where the process is; nothing happens where both are at one place.
bool go_to_network_of(pid_t pid) {
  const auto there = "/proc/" + std::to_string(pid) + "/ns/net";
  std::error_code problem;
  if (std::filesystem::equivalent(there, "/proc/thread-self/ns/net", problem))
    return true;
  const unique_fd network{::open(there.c_str(), O_RDONLY | O_CLOEXEC)};
  return network.get() >= 0 && ::setns(network.get(), CLONE_NEWNET) == 0;
}

unique_fd knock(const door& at, std::string_view saying) {
  unique_fd stranger{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = at.address;
  address.sin_port = htons(at.port);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  // On this machine the connection is there when the call returns, or is refused.
  if (::connect(stranger.get(), generic, sizeof address) != 0 && errno != EINPROGRESS)
    return {};
  if (!saying.empty() && ::send(stranger.get(), saying.data(), saying.size(), MSG_NOSIGNAL) < 0)
    return {};
  return stranger;
}

std::size_t visit_until(
  const std::filesystem::path& agent, const std::string& text, mono_time until) {
  const std::string babble(babble_bytes, 'x');
  std::set<door> known;
  std::vector<unique_fd> strangers;
  while (monotonic_now() < until) {
    const auto pid = process_running(agent, text);
    if (pid && go_to_network_of(*pid))
      for (const auto& at : doors_of(*pid)) {
        if (!known.insert(at).second)
          continue;
        for (std::size_t i = 0; i < strangers_per_door && strangers.size() < strangers_max; ++i)
          if (auto stranger = knock(at, i % 2 == 0 ? std::string_view{} : babble);
              stranger.get() >= 0)
            strangers.push_back(std::move(stranger));
      }
    std::this_thread::sleep_for(look_again);
  }
  return strangers.size();
}

} // namespace

result<std::size_t> visit_doors(
  const std::filesystem::path& agent, const std::string& text, milliseconds span) {
  std::size_t came = 0;
  // A thread of its own, since it leaves this process's network.
  std::thread visitor(
    [&, until = monotonic_now() + span] { came = visit_until(agent, text, until); });
  visitor.join();
  if (came == 0)
    return fail(errc::refused, "no door was open to strangers meanwhile", text);
  return came;
}

} // namespace drover
