#include "runtime/scenario/host_network.hpp"

#include "runtime/scenario/tool_run.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <utility>

namespace drover {
namespace {

constexpr unsigned nets = 250;
constexpr int rounds_max = 300;
constexpr std::chrono::milliseconds round_pause{10};

/// The first three numbers of an address in /proc/net/route, which holds them in hexadecimal and,
/// on this architecture, in reverse.
bool is_routed(unsigned net) {
  std::ifstream routes{"/proc/net/route"};
  std::string line;
  while (std::getline(routes, line)) {
    std::istringstream words{line};
    std::string interface, destination;
    words >> interface >> destination;
    std::uint32_t number = 0;
    std::from_chars(destination.data(), destination.data() + destination.size(), number, 16);
    if (number == (198U | 18U << 8U | net << 16U))
      return true;
  }
  return false;
}

} // namespace

host_network::host_network(std::filesystem::path room, std::size_t hosts)
  : room_(std::move(room)), hosts_(hosts) {
  const auto name = room_.filename().string();
  tag_ = name.substr(name.size() - std::min<std::size_t>(name.size(), 6));
  const auto start = static_cast<unsigned>(std::hash<std::string>{}(tag_) % nets);
  for (unsigned tried = 0; tried < nets; ++tried) {
    net_ = 1 + (start + tried) % nets;
    if (!is_routed(net_))
      break;
  }
}

result<host_network> host_network::make(const std::filesystem::path& room, std::size_t hosts) {
  host_network made{room, hosts};
  if (auto built = made.build(); !built) {
    made.close();
    return tl::unexpected<error>(built.error());
  }
  return made;
}

std::string host_network::space(std::size_t host) const {
  return "drover-" + tag_ + "-" + std::to_string(host + 1);
}

/// At most 15 characters, as all interfaces.
std::string host_network::wire(const char* bridge, std::size_t host) const {
  return "dv" + tag_ + bridge + std::to_string(host + 1);
}

std::string host_network::login_address(std::size_t host) const {
  return "198.18." + std::to_string(net_) + "." + std::to_string(host + 1);
}

std::string host_network::stream_address(std::size_t host) const {
  return "198.19." + std::to_string(net_) + "." + std::to_string(host + 1);
}

std::vector<std::string> host_network::on(std::size_t host) const {
  return {"ip", "netns", "exec", space(host)};
}

result<done> host_network::run_batch(
  const std::vector<std::string>& options, const std::string& name,
  const std::string& lines) const {
  const auto file = room_ / (name + ".ip");
  std::ofstream{file} << lines;
  std::vector<std::string> argv{"ip"};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.insert(argv.end(), {"-batch", file.string()});
  return run_tool(argv, room_ / (name + ".log"));
}

result<done> host_network::build() {
  std::ostringstream lines;
  for (const std::string bridge : {"m", "s"})
    lines << "link add dv" << tag_ << bridge << " type bridge\n"
          << "link set dv" << tag_ << bridge << " up\n";
  lines << "addr add 198.18." << net_ << ".254/24 dev dv" << tag_ << "m\n";
  for (std::size_t host = 0; host < hosts_; ++host) {
    lines << "netns add " << space(host) << '\n';
    for (const auto& [bridge, inside] : {std::pair{"m", "eth0"}, std::pair{"s", "eth1"}})
      lines << "link add " << wire(bridge, host) << " type veth peer name " << inside << " netns "
            << space(host) << '\n'
            << "link set " << wire(bridge, host) << " master dv" << tag_ << bridge << " up\n";
  }
  auto built = run_batch({}, "network", lines.str());
  for (std::size_t host = 0; built && host < hosts_; ++host)
    built = configure(host);
  return built;
}

result<done> host_network::configure(std::size_t host) const {
  return run_batch(
    {"-n", space(host)}, space(host),
    "link set lo up\naddr add " + login_address(host) + "/24 dev eth0\naddr add " +
      stream_address(host) + "/24 dev eth1\nlink set eth0 up\nlink set eth1 up\n");
}

result<done> host_network::set_login_way(std::size_t host, bool up) const {
  return run_tool(
    {"ip", "link", "set", wire("m", host), up ? "up" : "down"}, room_ / "network.log");
}

/// Those whose network namespace is one of these.
std::vector<pid_t> host_network::processes() const {
  std::set<std::pair<dev_t, ino_t>> ours;
  struct stat seen {};
  for (std::size_t host = 0; host < hosts_; ++host)
    if (::stat(("/run/netns/" + space(host)).c_str(), &seen) == 0)
      ours.emplace(seen.st_dev, seen.st_ino);
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const auto name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (problem != std::errc{} || *end != '\0')
      continue;
    if (
      ::stat((entry.path() / "ns/net").c_str(), &seen) == 0 &&
      ours.contains({seen.st_dev, seen.st_ino}))
      found.push_back(pid);
  }
  return found;
}

std::vector<std::string> host_network::close() {
  std::vector<std::string> left;
  if (hosts_ == 0)
    return left;
  auto alive = processes();
  for (int round = 0; round < rounds_max && !alive.empty(); ++round) {
    for (const auto pid : alive)
      ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(round_pause);
    for (const auto pid : alive)
      ::waitpid(pid, nullptr, WNOHANG);
    alive = processes();
  }
  for (const auto pid : alive)
    left.push_back("process " + std::to_string(pid));
  std::error_code ignored;
  const auto log = room_ / "network.log";
  for (std::size_t host = 0; host < hosts_; ++host) {
    // With the namespace its interfaces go, and their other ends; but later, so these go first.
    for (const auto* bridge : {"m", "s"})
      if (std::filesystem::exists("/sys/class/net/" + wire(bridge, host), ignored))
        run_tool({"ip", "link", "del", wire(bridge, host)}, log);
    if (std::filesystem::exists("/run/netns/" + space(host), ignored))
      if (auto gone = run_tool({"ip", "netns", "del", space(host)}, log); !gone)
        left.push_back(to_string(gone.error()));
  }
  for (const std::string bridge : {"m", "s"})
    if (std::filesystem::exists("/sys/class/net/dv" + tag_ + bridge, ignored))
      if (auto gone = run_tool({"ip", "link", "del", "dv" + tag_ + bridge}, log); !gone)
        left.push_back(to_string(gone.error()));
  hosts_ = 0;
  return left;
}

} // namespace drover
