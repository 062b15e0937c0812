// The relay of a stream's connections, with the test as both QEMU and the network.
#include "runtime/hypervisor/stream_relay.hpp"

#include "runtime/hypervisor/relay_process.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace drover {

namespace {

struct two_ends {
  unique_fd here;
  unique_fd there;
};

two_ends make_ends(int kind) {
  std::array<int, 2> fds{-1, -1};
  REQUIRE(::socketpair(AF_UNIX, kind | SOCK_CLOEXEC, 0, fds.data()) == 0);
  return {unique_fd(fds[0]), unique_fd(fds[1])};
}

/// What a stream looks like from outside: QEMU's ends and the network's.
struct bench {
  bench() : bench(make_ends(SOCK_SEQPACKET)) {}
  explicit bench(two_ends control) : agent(std::move(control.here)) {
    std::signal(SIGPIPE, SIG_IGN);
    relay.emplace(std::move(control.there));
  }

  unique_fd agent;
  std::optional<stream_relay> relay;
  std::vector<unique_fd> qemu;
  std::vector<unique_fd> network;
  bool goes_on = true;

  void add() {
    auto inner = make_ends(SOCK_STREAM);
    auto outer = make_ends(SOCK_STREAM);
    REQUIRE(hand_to_relay(agent, std::move(inner.there), std::move(outer.there)));
    qemu.push_back(std::move(inner.here));
    network.push_back(std::move(outer.here));
    run();
  }
  void add(std::size_t many) {
    for (std::size_t i = 0; i < many; ++i)
      add();
  }

  /// As long as anything moves, and a little longer.
  void run() {
    constexpr int quiet_rounds = 30;
    for (int i = 0; i < quiet_rounds && goes_on; ++i)
      goes_on = relay->serve(milliseconds{1});
  }
  /// Until the relay has nothing left; false when it hangs.
  bool ends() {
    constexpr int rounds_most = 3000;
    for (int i = 0; i < rounds_most && goes_on; ++i)
      goes_on = relay->serve(milliseconds{5});
    return !goes_on;
  }
};

std::size_t send_some(const unique_fd& to, const std::string& text, std::size_t from = 0) {
  const auto n =
    ::send(to.get(), text.data() + from, text.size() - from, MSG_DONTWAIT | MSG_NOSIGNAL);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

struct heard {
  std::string text;
  bool ended = false;
};

heard listen(const unique_fd& from) {
  heard all;
  std::array<char, 65536> bytes{};
  for (;;) {
    const auto n = ::recv(from.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n > 0)
      all.text.append(bytes.data(), static_cast<std::size_t>(n));
    else
      return {std::move(all.text), n == 0 || errno != EAGAIN};
  }
}

std::string pattern_of(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint32_t seed = 12345;
  for (auto& c : text) {
    seed = seed * 1664525U + 1013904223U;
    c = static_cast<char>(seed >> 24U);
  }
  return text;
}

/// Sends all of it while the other end reads and the relay works.
std::string pass(bench& b, const unique_fd& from, const unique_fd& to, const std::string& text) {
  std::string arrived;
  std::size_t sent = 0;
  constexpr int rounds_most = 100'000;
  for (int i = 0; i < rounds_most && arrived.size() < text.size(); ++i) {
    if (sent < text.size())
      sent += send_some(from, text, sent);
    b.goes_on = b.relay->serve(milliseconds{1});
    arrived += listen(to).text;
  }
  return arrived;
}

} // namespace

TEST_CASE("what goes into a relay comes out at the other side, unchanged, both ways") {
  bench b;
  b.add(3);
  constexpr std::size_t odd = 5'000'003;
  const auto text = pattern_of(odd);
  CHECK(pass(b, b.qemu[0], b.network[0], text) == text);
  CHECK(pass(b, b.network[2], b.qemu[2], text) == text);
  CHECK(pass(b, b.qemu[1], b.network[1], text) == text);
  for (std::size_t other = 0; other < 3; ++other) {
    CHECK(listen(b.qemu[other]).text.empty());
    CHECK(listen(b.network[other]).text.empty());
  }
}

TEST_CASE("the end of one half is passed on, and the other half goes on") {
  bench b;
  b.add();
  send_some(b.qemu[0], "the last words");
  ::shutdown(b.qemu[0].get(), SHUT_WR);
  b.run();
  const auto last = listen(b.network[0]);
  CHECK(last.text == "the last words");
  CHECK(last.ended);
  send_some(b.network[0], "acknowledged");
  b.run();
  const auto answer = listen(b.qemu[0]);
  CHECK(answer.text == "acknowledged");
  CHECK_FALSE(answer.ended);
  complete_relay(std::move(b.agent));
  ::shutdown(b.network[0].get(), SHUT_WR);
  CHECK(b.ends());
  CHECK(listen(b.qemu[0]).ended);
}

TEST_CASE("a side that goes away takes the other with it, and its last words arrive") {
  const bool is_qemu = GENERATE(true, false);
  bench b;
  b.add(2);
  complete_relay(std::move(b.agent));
  auto& leaves = is_qemu ? b.qemu : b.network;
  auto& stays = is_qemu ? b.network : b.qemu;
  send_some(leaves[0], "farewell");
  leaves[0].reset();
  b.run();
  const auto rest = listen(stays[0]);
  CHECK(rest.text == "farewell");
  CHECK(rest.ended);
  CHECK(send_some(stays[0], "is anybody there?") == 0);
  CHECK(b.goes_on);
  // The other connection knows nothing of it.
  send_some(stays[1], "here");
  b.run();
  CHECK(listen(leaves[1]).text == "here");
  leaves[1].reset();
  CHECK(b.ends());
}

TEST_CASE("a channel without its network swallows, and the main connection tells QEMU") {
  bench b;
  b.add(3);
  complete_relay(std::move(b.agent));
  // At the end of a stream the target may close first: nothing was lost, and nobody is told.
  b.network[2].reset();
  b.run();
  CHECK_FALSE(listen(b.qemu[0]).ended);
  b.network[1].reset();
  b.run();
  CHECK_FALSE(listen(b.qemu[0]).ended);
  const auto text = pattern_of(100'000);
  CHECK(send_some(b.qemu[1], text) == text.size());
  b.run();
  CHECK(listen(b.qemu[0]).ended);
  CHECK(listen(b.network[0]).ended);
  // QEMU's own channels go on, until it ends them.
  CHECK(send_some(b.qemu[1], text) == text.size());
  CHECK(send_some(b.qemu[2], text) == text.size());
  b.run();
  CHECK(b.goes_on);
  b.qemu[1].reset();
  b.qemu[2].reset();
  b.run();
  CHECK_FALSE(b.goes_on);
}

TEST_CASE("a channel without its network is closed in the end") {
  bench b;
  b.add(2);
  b.network[1].reset();
  b.run();
  CHECK(send_some(b.qemu[1], "x") == 1);
  b.qemu[0].reset();
  complete_relay(std::move(b.agent));
  CHECK(b.ends());
}

TEST_CASE("a side that does not read holds its own connection up, with a bounded amount") {
  bench b;
  b.add(2);
  const auto text = pattern_of(1'000'000);
  std::size_t taken = 0;
  for (int i = 0; i < 50; ++i) {
    taken += send_some(b.qemu[0], text);
    b.run();
  }
  constexpr std::size_t bounded = 4'000'000;
  CHECK(taken > 0);
  CHECK(taken < bounded);
  CHECK(pass(b, b.qemu[1], b.network[1], text) == text);
  CHECK(pass(b, b.network[0], b.qemu[0], text) == text);
}

TEST_CASE("later connections send only when the other host has what the first has sent so far") {
  bench c;
  c.add();
  // Here the other host is this test: what it has not read it does not have.
  send_some(c.qemu[0], "main");
  c.run();
  c.add(2);
  send_some(c.qemu[1], "first channel");
  send_some(c.network[1], "to the channel");
  c.run();
  CHECK(listen(c.network[1]).text.empty());
  CHECK(listen(c.qemu[1]).text == "to the channel");
  CHECK(listen(c.network[0]).text == "main");
  c.run();
  CHECK(listen(c.network[1]).text == "first channel");
  // From then on, for good.
  send_some(c.qemu[0], "more");
  send_some(c.qemu[2], "second channel");
  c.run();
  CHECK(listen(c.network[2]).text == "second channel");
}

TEST_CASE("an agent that goes before all connections stand ends those that do") {
  bench b;
  b.add(2);
  b.agent.reset();
  CHECK(b.ends());
  CHECK(listen(b.qemu[0]).ended);
  CHECK(listen(b.qemu[1]).ended);
  CHECK(listen(b.network[1]).ended);
}

TEST_CASE("an agent that goes when all stand is not missed") {
  bench b;
  b.add();
  complete_relay(std::move(b.agent));
  b.run();
  CHECK(b.goes_on);
  const auto text = pattern_of(300'000);
  CHECK(pass(b, b.qemu[0], b.network[0], text) == text);
  b.network[0].reset();
  CHECK(b.ends());
}

TEST_CASE("a relay without connections ends with its agent") {
  bench b;
  b.run();
  CHECK(b.goes_on);
  b.agent.reset();
  CHECK(b.ends());
}

TEST_CASE("a word of the agent that is none is passed over") {
  bench b;
  CHECK(::send(b.agent.get(), "?", 1, 0) == 1);
  b.add();
  send_some(b.qemu[0], "still here");
  b.run();
  CHECK(listen(b.network[0]).text == "still here");
}

} // namespace drover
