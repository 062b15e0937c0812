#include "runtime/hypervisor/stream_door.hpp"

#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <asio/write.hpp>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace drover {

namespace {

using asio::ip::tcp;

struct doorstep {
  contracts::qemu_rig rig;
  std::string token = make_secret();
  std::optional<result<unique_fd>> admitted;
  std::optional<result<unique_fd>> knocked;
  std::shared_ptr<stream_door> door;
  std::vector<std::shared_ptr<stream_knock>> knocks;

  explicit doorstep(const std::string& address = "127.0.0.1") {
    auto made = stream_door::open(rig.loop(), address, token, [this](result<unique_fd> who) {
      admitted.emplace(std::move(who));
    });
    REQUIRE(made);
    door = *made;
  }
  ~doorstep() {
    door->close();
    for (const auto& one : knocks)
      one->close();
  }

  void knock(const std::string& with, const std::string& host) {
    knocks.push_back(stream_knock::knock(
      rig.loop(), host, door->port(), with,
      [this](result<unique_fd> connection) { knocked.emplace(std::move(connection)); }));
  }
  void wait(const std::function<bool()>& reached) { REQUIRE(rig.run_until(reached)); }
};

bool has_no_delay(const unique_fd& fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0 && value != 0;
}

} // namespace

TEST_CASE("tokens are 64 hexadecimal digits and never the same") {
  const auto a = make_secret();
  CHECK(a.size() == token_digits);
  CHECK(a.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(a != make_secret());
  CHECK(tokens_equal(a, a));
  CHECK_FALSE(tokens_equal(a, a.substr(1)));
  auto other = a;
  other.back() = other.back() == '0' ? '1' : '0';
  CHECK_FALSE(tokens_equal(a, other));
}

TEST_CASE("the right token gets in, and the go-ahead opens the way for exactly what follows") {
  const auto* address = GENERATE("127.0.0.1", "::1");
  doorstep step(address);
  step.knock(step.token, address);
  step.wait([&] { return step.admitted.has_value(); });
  REQUIRE(*step.admitted);
  CHECK_FALSE(step.knocked);
  const auto& inside = **step.admitted;
  REQUIRE(give_go_ahead(inside));
  CHECK(::send(inside.get(), "next", 4, 0) == 4);
  step.wait([&] { return step.knocked.has_value(); });
  REQUIRE(*step.knocked);
  CHECK(has_no_delay(inside));
  CHECK(has_no_delay(**step.knocked));
  std::array<char, 8> rest{};
  step.wait([&] { return ::recv((*step.knocked)->get(), rest.data(), 8, MSG_DONTWAIT) == 4; });
  CHECK(std::string(rest.data()) == "next");
}

TEST_CASE("a wrong token is turned away and the door stays open") {
  doorstep step;
  step.knock(std::string(token_digits, 'a'), "127.0.0.1");
  step.wait([&] { return step.knocked.has_value(); });
  CHECK((*step.knocked).error().code != errc::timeout);
  CHECK_FALSE(step.admitted);
  step.knocked.reset();
  step.knock(step.token, "127.0.0.1");
  step.wait([&] { return step.admitted.has_value(); });
  CHECK(*step.admitted);
}

TEST_CASE("a crowd of silent strangers does not keep the right one out") {
  doorstep step;
  std::vector<tcp::socket> crowd;
  for (int i = 0; i < 100; ++i) {
    crowd.emplace_back(step.rig.loop());
    crowd.back().connect({asio::ip::make_address("127.0.0.1"), step.door->port()});
    asio::write(crowd.back(), asio::buffer(step.token.substr(0, 1)));
  }
  step.knock(step.token, "127.0.0.1");
  step.wait([&] { return step.admitted.has_value(); });
  CHECK(*step.admitted);
}

TEST_CASE("a silent stranger is closed when its time for the token is over") {
  doorstep step;
  tcp::socket silent(step.rig.loop());
  silent.connect({asio::ip::make_address("127.0.0.1"), step.door->port()});
  const auto begin = monotonic_now();
  std::array<char, 1> nothing{};
  bool closed = false;
  silent.async_read_some(asio::buffer(nothing), [&](const asio::error_code& failure, std::size_t) {
    closed = failure.value() != 0;
  });
  step.wait([&] { return closed; });
  CHECK(monotonic_now() - begin >= visitor_deadline - milliseconds{100});
  step.knock(step.token, "127.0.0.1");
  step.wait([&] { return step.admitted.has_value(); });
  CHECK(*step.admitted);
}

TEST_CASE("when the target closes instead of going ahead, the source is told") {
  doorstep step;
  step.knock(step.token, "127.0.0.1");
  step.wait([&] { return step.admitted.has_value(); });
  step.admitted.reset();
  step.wait([&] { return step.knocked.has_value(); });
  CHECK(step.knocked->error().code == errc::refused);
}

TEST_CASE("addresses that are none, and doors that are closed, are errors") {
  doorstep step;
  CHECK(stream_door::open(step.rig.loop(), "n1.example", "x", {}).error().code == errc::invalid);
  step.knock(step.token, "n1.example");
  step.wait([&] { return step.knocked.has_value(); });
  CHECK(step.knocked->error().code == errc::invalid);
  step.knocked.reset();
  step.door->close();
  step.knock(step.token, "127.0.0.1");
  step.wait([&] { return step.knocked.has_value(); });
  CHECK(step.knocked->error().code == errc::retry);
  CHECK_FALSE(step.admitted);
}

} // namespace drover
