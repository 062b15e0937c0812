// What others can see of a stream, and do to it: guest memory on the wire, the key's file,
// strangers at the door; and what the encryption costs the pause.
#include "runtime/hypervisor/stream_door.hpp"
#include "tests/contracts/hypervisor_calls.hpp"
#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <algorithm>
#include <asio/write.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <sys/stat.h>

namespace drover {

namespace {

using asio::ip::tcp;
using contracts::code_of;
using contracts::side;

const std::string pattern = "the guest's own words: keep them from the wire";

/// Stands between the agents and writes down what passes.
class recorder : public std::enable_shared_from_this<recorder> {
public:
  recorder(asio::io_context& loop, std::uint16_t door)
    : acceptor_(loop, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)), inner_(loop),
      outer_(loop), door_(door) {}
  void start() {
    acceptor_.async_accept(outer_, [self = shared_from_this()](const asio::error_code& failure) {
      if (failure)
        return;
      self->inner_.connect({asio::ip::make_address("127.0.0.1"), self->door_});
      self->pump(self->outer_, self->inner_, self->there_);
      self->pump(self->inner_, self->outer_, self->back_);
    });
  }
  void stop() {
    asio::error_code ignored;
    acceptor_.close(ignored);
    inner_.close(ignored);
    outer_.close(ignored);
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  const std::string& heard() const { return heard_; }

private:
  void pump(tcp::socket& from, tcp::socket& to, std::array<char, 65536>& bytes) {
    from.async_read_some(
      asio::buffer(bytes),
      [self = shared_from_this(), &from, &to, &bytes](const asio::error_code& failure, auto n) {
        asio::error_code ignored;
        if (failure)
          return void(to.shutdown(tcp::socket::shutdown_send, ignored));
        self->heard_.append(bytes.data(), n);
        asio::async_write(
          to, asio::buffer(bytes, n),
          [self, &from, &to, &bytes](const asio::error_code& broken, std::size_t) {
            if (!broken)
              self->pump(from, to, bytes);
          });
      });
  }

  tcp::acceptor acceptor_;
  tcp::socket inner_;
  tcp::socket outer_;
  std::uint16_t door_;
  std::array<char, 65536> there_{};
  std::array<char, 65536> back_{};
  std::string heard_;
};

struct two_nodes : contracts::hypervisor_calls {
  explicit two_nodes(stream_kind how)
    : hypervisor_calls(std::make_unique<contracts::qemu_rig>()),
      qemu(static_cast<contracts::qemu_rig&>(rig())) {
    kind = how;
  }
  contracts::qemu_rig& qemu;

  run_files files(side which) const { return {qemu.settings(which).run_dir, vm}; }
  double pause_ms(const std::string& config) {
    begin_move(7, config);
    wait_completed();
    const auto resumed = resume(side::target);
    REQUIRE(resumed);
    const auto pause = *resumed - heard(side::source).find("stopped")->at;
    return std::chrono::duration<double, std::milli>(pause).count();
  }
};

::mode_t mode_of(const std::filesystem::path& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 ? s.st_mode & 0777U : 0;
}

} // namespace

TEST_CASE("guest memory crosses the wire in the clear with plain, and never with tls") {
  const auto kind = GENERATE(stream_kind::plain, stream_kind::tls);
  two_nodes n(kind);
  const auto image = n.qemu.root() / "words";
  std::ofstream(image) << pattern;
  const auto door = n.door_of_receiver(
    n.qemu.config("2056k -device loader,addr=0x100000,force-raw=on,file=" + image.native()));
  const auto tap = std::make_shared<recorder>(n.qemu.loop(), door.port);
  tap->start();
  auto by_way = door;
  by_way.port = tap->port();
  REQUIRE(n.stream(7, by_way));
  n.wait_completed();
  CHECK(n.resume(side::target));
  tap->stop();
  CHECK(tap->heard().size() > 10'000);
  CHECK((tap->heard().find(pattern) != std::string::npos) == (kind == stream_kind::plain));
  if (kind == stream_kind::tls)
    CHECK(tap->heard().find(door.key) == std::string::npos);
}

TEST_CASE("the key is in a file for one user, and in no file when the stream flows") {
  two_nodes n(stream_kind::tls);
  const auto door = n.door_of_receiver(n.rig().large_config());
  CHECK(door.key.size() == secret_digits);
  CHECK(door.key != door.token);
  const auto dir = n.files(side::target).key_dir();
  CHECK(mode_of(dir) == 0700);
  CHECK(mode_of(dir / "keys.psk") == 0600);
  const auto again = n.open_door(7);
  REQUIRE(again);
  CHECK(again->key != door.key);
  REQUIRE(n.stream(7, *again, n.rig().slow_limits()));
  n.wait_for("both files are gone", [&] {
    return !std::filesystem::exists(dir) &&
           !std::filesystem::exists(n.files(side::source).key_dir());
  });
  CHECK_FALSE(n.heard(side::target).has("completed"));
  for (const auto which : {side::source, side::target})
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(n.qemu.settings(which).run_dir)) {
      std::ifstream in(file.path());
      const std::string text{std::istreambuf_iterator<char>{in}, {}};
      CHECK(text.find(again->key) == std::string::npos);
    }
  CHECK(n.cancel(7));
}

TEST_CASE("another key, or none, streams nothing, and the VM runs on") {
  two_nodes n(stream_kind::tls);
  auto door = n.door_of_receiver(n.rig().small_config());
  const auto is_plain = GENERATE(false, true);
  door.key = is_plain ? std::string{} : make_secret();
  REQUIRE(n.stream(7, door));
  n.wait_heard(side::source, "failed");
  n.wait_for("the source runs", [&] { return n.state(side::source) == wire::run_state::running; });
  CHECK_FALSE(n.heard(side::target).has("completed"));
}

TEST_CASE("a key that is none is refused before anything is touched") {
  two_nodes n(stream_kind::tls);
  auto door = n.door_of_receiver(n.rig().small_config());
  door.key = "root:" + std::string(59, 'a') + "\n";
  const auto begun = n.stream(7, door);
  REQUIRE_FALSE(begun);
  CHECK(begun.error().code == errc::invalid);
  CHECK(to_string(begun.error()).find("aaaa") == std::string::npos);
}

TEST_CASE("a QEMU that takes no credentials is refused by name, and nothing goes in the clear") {
  // QEMU refuses an object whose name is taken, as it refuses one that it cannot make.
  two_nodes n(stream_kind::tls);
  const auto config =
    n.qemu.config("2056k -object tls-creds-anon,id=drover-stream,endpoint=client");
  REQUIRE(code_of(n.start(side::source, config)) == "ok");
  REQUIRE(code_of(n.receive(7, *n.at(side::source).started_config(n.vm))) == "ok");
  const auto refused = n.open_door(7);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK_THAT(refused.error().what, Catch::StartsWith("the QEMU on n2 cannot encrypt a stream"));
  CHECK_THAT(refused.error().what, Catch::Contains("--stream plain"));
  CHECK_FALSE(std::filesystem::exists(n.files(side::target).key_dir()));
  n.kind = stream_kind::plain;
  auto door = n.open_door(7);
  REQUIRE(door);
  door->key = make_secret();
  const auto streamed = n.stream(7, *door);
  REQUIRE_FALSE(streamed);
  CHECK(streamed.error().code == errc::refused);
  CHECK_THAT(streamed.error().what, Catch::StartsWith("the QEMU on n1 cannot encrypt a stream"));
  CHECK_FALSE(std::filesystem::exists(n.files(side::source).key_dir()));
  CHECK(n.state(side::source) == wire::run_state::running);
}

TEST_CASE("strangers at the door, silent and babbling, do not disturb the stream") {
  two_nodes n(stream_kind::tls);
  const auto door = n.door_of_receiver(n.rig().small_config());
  const tcp::endpoint there(asio::ip::make_address(door.host), door.port);
  std::vector<tcp::socket> strangers;
  const auto come = [&](const std::string& saying) {
    strangers.emplace_back(n.qemu.loop());
    strangers.back().connect(there);
    asio::error_code ignored;
    asio::write(strangers.back(), asio::buffer(saying), ignored);
  };
  for (int i = 0; i < 8; ++i) {
    come("");
    come("GET / HTTP/1.1\r\n");
    come(std::string(1000, 'x'));
  }
  const auto begin = monotonic_now();
  REQUIRE(n.stream(7, door));
  n.wait_completed();
  CHECK(n.resume(side::target));
  CHECK(monotonic_now() - begin < visitor_deadline);
}

TEST_CASE("what the encryption costs the pause, side by side") {
  constexpr std::size_t moves = 15;
  std::map<stream_kind, std::vector<double>> pauses;
  for (std::size_t i = 0; i < moves; ++i)
    for (const auto kind : {stream_kind::plain, stream_kind::tls}) {
      two_nodes n(kind);
      pauses[kind].push_back(n.pause_ms(n.rig().small_config()));
    }
  for (auto& [kind, list] : pauses)
    std::sort(list.begin(), list.end());
  const auto plain = pauses.at(stream_kind::plain)[moves / 2];
  const auto tls = pauses.at(stream_kind::tls)[moves / 2];
  WARN(
    "median pause of " << moves << " moves: plain " << plain << " ms, tls " << tls << " ms, ratio "
                       << tls / plain);
  CHECK(plain > 0);
  CHECK(tls > 0);
}

} // namespace drover
