// A stream with several channels between two real QEMUs: used for real, and nothing of it is left,
// however it ends.
#include "runtime/hypervisor/qmp_client.hpp"
#include "runtime/hypervisor/stream_channels.hpp"
#include "tests/contracts/hypervisor_calls.hpp"
#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <sys/stat.h>

namespace drover {

namespace {

using asio::ip::tcp;
using contracts::code_of;
using contracts::side;

constexpr std::uint32_t four = 4;

/// Command lines of processes that name the test's own directory.
std::size_t relays_of(const std::filesystem::path& root) {
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "cmdline", std::ios::binary);
    const std::string line{std::istreambuf_iterator<char>{in}, {}};
    const bool is_relay = line.find("--relay") != std::string::npos;
    found += is_relay && line.find(root.native()) != std::string::npos ? 1 : 0;
  }
  return found;
}

/// A network between the agents that passes every connection on and can be cut one by one.
class network : public std::enable_shared_from_this<network> {
public:
  network(asio::io_context& loop, std::uint16_t door)
    : loop_(loop), acceptor_(loop, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)),
      door_(door) {}

  void start() {
    acceptor_.async_accept(
      [self = shared_from_this()](const asio::error_code& failure, tcp::socket from) {
        if (failure)
          return;
        auto one = std::make_shared<line>(std::move(from), tcp::socket(self->loop_));
        one->to.connect({asio::ip::make_address("127.0.0.1"), self->door_});
        self->lines_.push_back(one);
        pump(one, one->from, one->to, one->there);
        pump(one, one->to, one->from, one->back);
        self->start();
      });
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::size_t lines() const { return lines_.size(); }
  std::size_t bytes(std::size_t which) const { return lines_[which]->bytes; }
  void cut(std::size_t which) {
    asio::error_code ignored;
    lines_[which]->from.close(ignored);
    lines_[which]->to.close(ignored);
  }
  void stop() {
    asio::error_code ignored;
    acceptor_.close(ignored);
    for (std::size_t i = 0; i < lines_.size(); ++i)
      cut(i);
  }

private:
  struct line {
    line(tcp::socket a, tcp::socket b) : from(std::move(a)), to(std::move(b)) {}
    tcp::socket from;
    tcp::socket to;
    std::array<char, 65536> there{};
    std::array<char, 65536> back{};
    std::size_t bytes = 0;
  };

  static void pump(
    const std::shared_ptr<line>& one, tcp::socket& from, tcp::socket& to,
    std::array<char, 65536>& bytes) {
    from.async_read_some(
      asio::buffer(bytes), [one, &from, &to, &bytes](const asio::error_code& failure, auto n) {
        asio::error_code ignored;
        if (failure)
          return void(to.shutdown(tcp::socket::shutdown_send, ignored));
        one->bytes += n;
        asio::async_write(
          to, asio::buffer(bytes, n),
          [one, &from, &to, &bytes](const asio::error_code& broken, std::size_t) {
            if (!broken)
              pump(one, from, to, bytes);
          });
      });
  }

  asio::io_context& loop_;
  tcp::acceptor acceptor_;
  std::uint16_t door_;
  std::vector<std::shared_ptr<line>> lines_;
};

struct two_nodes : contracts::hypervisor_calls {
  explicit two_nodes(stream_kind how)
    : hypervisor_calls(std::make_unique<contracts::qemu_rig>()),
      qemu(static_cast<contracts::qemu_rig&>(rig())) {
    kind = how;
    channels = four;
  }
  two_nodes(const two_nodes&) = delete;
  two_nodes& operator=(const two_nodes&) = delete;

  contracts::qemu_rig& qemu;
  std::shared_ptr<qmp_client> rescue;

  run_files files(side which) const { return {qemu.settings(which).run_dir, vm}; }

  /// 64 MiB of which a quarter is no zeros, so that the channels have something to carry.
  std::string full_config() {
    const auto image = qemu.root() / "memory";
    constexpr std::size_t bytes = 16U << 20U;
    std::ofstream(image, std::ios::binary) << std::string(bytes, 'x');
    return qemu.config("65544k -device loader,addr=0x100000,force-raw=on,file=" + image.native());
  }
  /// Long enough to interfere.
  static stream_limits slow() { return {2'000'000, 0}; }

  ~two_nodes() {
    if (rescue)
      rescue->close();
  }

  /// What the source's QEMU itself says, by the socket that the driver leaves free.
  std::uint64_t multifd_bytes() {
    if (!rescue) {
      auto client = qmp_client::connect(
        qemu.loop(), files(side::source).rescue(),
        {[](const qmp_ready&) {}, [](const qmp_event&) {}, [](const error&) {}});
      REQUIRE(client);
      rescue = *client;
    }
    const auto answer = ask<nlohmann::json>(
      [&](auto reply) { rescue->call("query-migrate", nullptr, milliseconds{10'000}, reply); });
    INFO((answer ? "" : to_string(answer.error())));
    REQUIRE(answer);
    return answer->value("ram", nlohmann::json::object()).value("multifd-bytes", 0U);
  }

  bool has_socket() const {
    return std::filesystem::exists(files(side::source).multifd()) ||
           std::filesystem::exists(files(side::target).multifd());
  }
  void wait_clean() {
    wait_for("no relay is left", [this] { return relays_of(qemu.root()) == 0; });
    CHECK_FALSE(has_socket());
  }
  void check_stayed() {
    wait_for("the source runs", [this] { return state(side::source) == wire::run_state::running; });
    CHECK_FALSE(heard(side::target).has("completed"));
    CHECK(code_of(kill(side::target)) == "ok");
    wait_clean();
  }
};

} // namespace

TEST_CASE("memory goes by every channel, encrypted or not, and the VM moves") {
  const auto kind = GENERATE(stream_kind::tls, stream_kind::plain);
  two_nodes n(kind);
  CHECK(n.at(side::source).channels_max(n.vm) == 1); // none runs
  const auto door = n.door_of_receiver(n.full_config());
  CHECK(n.at(side::source).channels_max(n.vm) == stream_channels_max);
  CHECK(door.channels == four);
  CHECK(door.key.empty() == (kind == stream_kind::plain));
  const auto way = std::make_shared<network>(n.qemu.loop(), door.port);
  way->start();
  auto by_way = door;
  by_way.port = way->port();
  const auto begun = n.stream(7, by_way);
  INFO((begun ? "" : to_string(begun.error())));
  REQUIRE(begun);
  n.wait_completed();
  CHECK(n.multifd_bytes() > 16U << 20U);
  REQUIRE(way->lines() == four + 1);
  // QEMU gives its packets of 128 pages to whichever channel is free: on a busy machine one channel
  // may have carried a single one.
  constexpr std::size_t share_least = 128U * 4096U;
  for (std::size_t channel = 1; channel <= four; ++channel)
    CHECK(way->bytes(channel) > share_least);
  CHECK(n.resume(side::target));
  CHECK(code_of(n.quit(side::source)) == "ok");
  n.wait_clean();
  way->stop();
}

TEST_CASE("the channels' sockets are for one user, and gone when all are connected") {
  two_nodes n(stream_kind::tls);
  const auto door = n.door_of_receiver(n.full_config());
  CHECK_FALSE(n.has_socket());
  ::mode_t modes = 0;
  bool was_there = false;
  std::optional<result<done>> begun;
  n.at(side::source).stream(n.vm, epoch{7}, door, two_nodes::slow(), [&](const result<done>& a) {
    begun = a;
  });
  const auto look = [&] {
    for (const auto which : {side::source, side::target}) {
      struct stat s {};
      if (::stat(n.files(which).multifd().c_str(), &s) != 0)
        continue;
      was_there = true;
      // QEMU's own socket is made with its umask; nobody else can enter the directory.
      if (which == side::source)
        modes |= s.st_mode & 0777U;
    }
    return begun && !n.has_socket();
  };
  n.wait_for("both sockets are gone", look);
  CHECK(was_there);
  CHECK(modes == 0600);
  REQUIRE(*begun);
  CHECK_FALSE(n.heard(side::source).has("completed"));
  CHECK(n.state(side::source) == wire::run_state::running);
  CHECK(n.cancel(7));
  n.check_stayed();
}

TEST_CASE("a stream with channels is cancelled in the middle, and the next one has none or some") {
  two_nodes n(stream_kind::tls);
  const auto config = n.full_config();
  const auto door = n.door_of_receiver(config);
  REQUIRE(n.stream(7, door, two_nodes::slow()));
  n.wait_for("some bytes", [&] { return n.multifd_bytes() > 0; });
  CHECK(n.cancel(7));
  n.wait_heard(side::source, "cancelled");
  n.check_stayed();
  n.channels = GENERATE(1U, four);
  n.heard(side::source) = {};
  n.heard(side::target) = {};
  n.begin_stream(8);
  n.wait_completed();
  CHECK((n.multifd_bytes() > 0) == (n.channels > 1));
  CHECK(n.resume(side::target));
  CHECK(code_of(n.quit(side::source)) == "ok");
  n.wait_clean();
}

TEST_CASE("one channel that is cut ends the stream, and the VM runs on at the source") {
  const auto kind = GENERATE(stream_kind::tls, stream_kind::plain);
  const std::size_t cut = GENERATE(0U, 2U);
  two_nodes n(kind);
  const auto door = n.door_of_receiver(n.full_config());
  const auto way = std::make_shared<network>(n.qemu.loop(), door.port);
  way->start();
  auto by_way = door;
  by_way.port = way->port();
  REQUIRE(n.stream(7, by_way, two_nodes::slow()));
  n.wait_for("some bytes", [&] { return n.multifd_bytes() > 0; });
  way->cut(cut);
  n.wait_heard(side::source, "failed");
  n.check_stayed();
  way->stop();
}

TEST_CASE("one channel that is cut before QEMU has used it ends the stream as well") {
  const auto kind = GENERATE(stream_kind::tls, stream_kind::plain);
  const std::size_t cut = GENERATE(0U, 3U);
  two_nodes n(kind);
  const auto door = n.door_of_receiver(n.full_config());
  const auto way = std::make_shared<network>(n.qemu.loop(), door.port);
  way->start();
  auto by_way = door;
  by_way.port = way->port();
  bool is_asked = false;
  n.at(side::source).stream(n.vm, epoch{7}, by_way, two_nodes::slow(), [&](const result<done>&) {
    is_asked = true;
  });
  // The token and the go-ahead have passed.
  n.wait_for("all connections stand", [&] {
    bool all = way->lines() == four + 1;
    for (std::size_t i = 0; all && i < way->lines(); ++i)
      all = way->bytes(i) > token_digits;
    return all;
  });
  way->cut(cut);
  n.wait_for("an answer", [&] { return is_asked; });
  n.wait_heard(side::source, "failed");
  n.check_stayed();
  // Nothing of it is in the way of the next one.
  n.heard(side::source) = {};
  REQUIRE(code_of(n.receive(8, *n.at(side::source).started_config(n.vm))) == "ok");
  const auto next = n.open_door(8);
  REQUIRE(next);
  const auto begun = n.stream(8, *next);
  INFO((begun ? "" : to_string(begun.error())));
  REQUIRE(begun);
  n.wait_completed();
  CHECK(n.resume(side::target));
  way->stop();
}

TEST_CASE("a receiver that dies in the middle leaves the VM and nothing else") {
  two_nodes n(stream_kind::tls);
  const auto door = n.door_of_receiver(n.full_config());
  REQUIRE(n.stream(7, door, two_nodes::slow()));
  n.wait_for("some bytes", [&] { return n.multifd_bytes() > 0; });
  n.rig().crash(side::target, n.vm);
  n.wait_heard(side::source, "failed");
  n.wait_heard(side::target, "exit");
  n.wait_for("the source runs", [&] { return n.state(side::source) == wire::run_state::running; });
  n.wait_clean();
}

TEST_CASE("the agents of both nodes may go and come again while the channels carry on") {
  two_nodes n(stream_kind::tls);
  const auto door = n.door_of_receiver(n.full_config());
  REQUIRE(n.stream(7, door, two_nodes::slow()));
  n.wait_for("some bytes", [&] { return n.multifd_bytes() > 0; });
  CHECK(n.restart(side::source).size() == 1);
  CHECK(n.restart(side::target).size() == 1);
  CHECK(code_of(n.ask<done>([&](auto reply) {
          n.at(side::source).set_bandwidth(n.vm, 0, reply);
        })) == "ok");
  n.wait_completed();
  CHECK(n.resume(side::target));
  CHECK(code_of(n.quit(side::source)) == "ok");
  n.wait_clean();
}

TEST_CASE("strangers and a wrong token harm no stream with channels") {
  two_nodes n(stream_kind::tls);
  const auto door = n.door_of_receiver(n.full_config());
  CHECK(n.rig().is_turned_away(door, std::string(door.token.size(), '0')));
  auto wrong = door;
  wrong.token.back() = wrong.token.back() == '0' ? '1' : '0';
  CHECK_FALSE(n.stream(7, wrong));
  n.wait_heard(side::source, "failed");
  CHECK(n.state(side::source) == wire::run_state::running);
  CHECK_FALSE(n.has_socket());
  REQUIRE(n.stream(7, door));
  n.wait_completed();
  // The token was good for so many and no more.
  CHECK_THROWS(n.rig().is_turned_away(door, door.token)); // Nobody listens any more.
  CHECK(n.resume(side::target));
}

TEST_CASE("nobody opens: the stream has failed, nothing is left, and it may begin anew") {
  two_nodes n(stream_kind::tls);
  const auto door = n.door_of_receiver(n.full_config());
  auto closed = door;
  closed.port = 1;
  const auto refused = n.stream(7, closed);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::retry);
  CHECK_FALSE(n.has_socket());
  n.wait_for("no relay is left", [&] { return relays_of(n.qemu.root()) == 0; });
  REQUIRE(n.stream(7, door));
  n.wait_completed();
  CHECK(n.resume(side::target));
}

TEST_CASE("more channels than QEMU can do are refused before anything is touched") {
  two_nodes n(stream_kind::tls);
  n.channels = stream_channels_max + 1;
  REQUIRE(code_of(n.start(side::source, n.rig().small_config())) == "ok");
  REQUIRE(code_of(n.receive(7, *n.at(side::source).started_config(n.vm))) == "ok");
  CHECK(code_of(n.open_door(7)) == "refused");
  n.channels = 1;
  auto door = n.open_door(7);
  REQUIRE(door);
  door->channels = stream_channels_max + 1;
  CHECK(code_of(n.stream(7, *door)) == "invalid");
  door->channels = 1;
  CHECK(n.stream(7, *door));
  n.wait_completed();
}

TEST_CASE("what channels cost the pause, side by side") {
  constexpr std::size_t moves = 9;
  std::map<std::uint32_t, std::vector<double>> pauses;
  for (std::size_t i = 0; i < moves; ++i)
    for (const auto channels : {1U, four}) {
      two_nodes n(stream_kind::tls);
      n.channels = channels;
      n.begin_move(7, n.rig().small_config());
      n.wait_completed();
      const auto resumed = n.resume(side::target);
      REQUIRE(resumed);
      const auto pause = *resumed - n.heard(side::source).find("stopped")->at;
      pauses[channels].push_back(std::chrono::duration<double, std::milli>(pause).count());
    }
  for (auto& [channels, list] : pauses)
    std::sort(list.begin(), list.end());
  const auto one = pauses.at(1)[moves / 2];
  const auto several = pauses.at(four)[moves / 2];
  WARN(
    "median pause of " << moves << " moves: one stream " << one << " ms, " << four << " channels "
                       << several << " ms");
  // The least of them, because the machine may be busy: catches Nagle's 40 ms, and all that waits.
  constexpr double more_most_ms = 20;
  CHECK(pauses.at(four).front() < pauses.at(1).front() + more_most_ms);
}

} // namespace drover
