// What passes between hosts of a scenario's own, as a stranger on their networks sees it, and how
// soon a way that carries nothing is noticed.
#include "tests/support/run_program.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cctype>
#include <fstream>
#include <map>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// Writes down every packet between the hosts of a scenario, as tcpdump would, until it goes.
class eavesdropper {
public:
  eavesdropper()
    : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))),
      thread_([this] { listen(); }) {}
  ~eavesdropper() {
    stop();
    ::close(socket_);
  }
  eavesdropper(const eavesdropper&) = delete;
  eavesdropper& operator=(const eavesdropper&) = delete;

  bool can_listen() const { return socket_ >= 0; }
  void stop() {
    stopping_ = true;
    if (thread_.joinable())
      thread_.join();
  }
  /// After `stop`.
  bool has_heard(const std::string& words) const {
    return std::any_of(packets_.begin(), packets_.end(), [&](const std::string& one) {
      return one.find(words) != std::string::npos;
    });
  }
  std::size_t packets() const { return packets_.size(); }

private:
  void listen() {
    const timeval patience{0, 50'000};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const int room = 64 * 1024 * 1024;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    static std::array<char, 128 * 1024> bytes;
    while (!stopping_) {
      sockaddr_ll from{};
      socklen_t size = sizeof from;
      const auto n = ::recvfrom(
        socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n > 0 && is_between_hosts(from.sll_ifindex))
        packets_.emplace_back(bytes.data(), static_cast<std::size_t>(n));
    }
  }

  /// By the name that scenarios give the interfaces of their bridges.
  bool is_between_hosts(int interface) {
    const auto [known, is_new] = is_ours_.try_emplace(interface, false);
    std::array<char, IF_NAMESIZE> name{};
    if (is_new && ::if_indextoname(static_cast<unsigned>(interface), name.data()) != nullptr)
      known->second = std::string{name.data()}.starts_with("dv");
    return known->second;
  }

  int socket_;
  std::atomic<bool> stopping_ = false;
  std::map<int, bool> is_ours_;
  std::vector<std::string> packets_;
  std::thread thread_;
};

/// Keys and tokens are 64 hexadecimal digits in a row, and nothing else is.
bool has_secret(const std::string& text) {
  std::size_t run = 0;
  for (const char c : text) {
    run = std::isxdigit(static_cast<unsigned char>(c)) != 0 ? run + 1 : 0;
    if (run == 64)
      return true;
  }
  return false;
}

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

bool shows_secret_in_process_list() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored))
    if (has_secret(text_of(entry.path() / "cmdline")) || has_secret(text_of(entry.path() / "comm")))
      return true;
  return false;
}

} // namespace

TEST_CASE("no memory crosses in the clear by default, and it does with plain", "[system]") {
  const bool is_plain = GENERATE(false, true);
  const temporary_directory directory;
  const auto trace = (directory.path() / "trace").string();
  const auto kept = directory.path() / "kept";
  eavesdropper ear;
  if (!ear.can_listen()) {
    WARN("skipped: this user may not listen to packets");
    return;
  }
  std::atomic<bool> over = false;
  bool listed = false;
  std::thread onlooker([&] {
    while (!over && !listed) {
      listed = shows_secret_in_process_list();
      std::this_thread::sleep_for(10ms);
    }
  });
  const auto ended = run_program(
    {DROVER_PROGRAM, "run", DROVER_SCENARIOS "/ssh/demo_ssh.json", "--trace", trace, "--keep",
     kept.string(), "--stream", is_plain ? "plain" : "tls"},
    120s);
  over = true;
  onlooker.join();
  ear.stop();
  INFO(ended.out << ended.err);
  REQUIRE(ended.exit_code == 0);
  CHECK_FALSE(listed);
  // What every stream of QEMU begins with, and the name of the memory that follows.
  CHECK(ear.packets() > 1000);
  CHECK(ear.has_heard("QEVM") == is_plain);
  CHECK(ear.has_heard("pc.ram") == is_plain);
  CHECK_FALSE(has_secret(text_of(trace)));
  CHECK_FALSE(has_secret(ended.out + ended.err));
  std::size_t files = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(kept))
    if (file.is_regular_file()) {
      INFO(file.path());
      CHECK_FALSE(has_secret(text_of(file.path())));
      ++files;
    }
  CHECK(files > 3);
}

TEST_CASE("a way that carries nothing is noticed within the heartbeat's deadline", "[system]") {
  const temporary_directory directory;
  const auto trace = (directory.path() / "trace").string();
  const auto ended = run_program(
    {DROVER_PROGRAM, "run", DROVER_SCENARIOS "/ssh/half_open.json", "--trace", trace}, 240s);
  INFO(ended.out << ended.err);
  REQUIRE((ended.exit_code == 0 || ended.exit_code == 2));
  std::int64_t broken = 0;
  std::int64_t noticed = 0;
  std::ifstream lines{trace};
  for (std::string line; std::getline(lines, line);) {
    const auto event = json::parse(line);
    if (event.at("event") == "scenario_acted" && event.at("action") == "half_open_link")
      broken = event.at("at");
    if (
      broken != 0 && noticed == 0 && event.at("event") == "link_changed" &&
      event.at("node") == "n2" && event.at("state") == "down")
      noticed = event.at("at");
  }
  REQUIRE(broken > 0);
  REQUIRE(noticed > 0);
  // A scenario's links ask after half a second of silence and give the peer two.
  CHECK(noticed - broken < 3'000'000);
}
