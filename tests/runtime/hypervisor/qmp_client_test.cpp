#include "runtime/hypervisor/qmp_client.hpp"

#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <asio/local/stream_protocol.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/socket.h>

namespace drover {

namespace {

using local = asio::local::stream_protocol;

const std::string greeting =
  R"({"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 8}}, "capabilities": []}})"
  "\n";

/// The other end of a client's connection, played by the test.
struct fake_qemu {
  contracts::qemu_rig rig;
  std::string path = rig.root() / "qmp";
  local::acceptor acceptor{rig.loop(), local::endpoint(path)};
  local::socket peer{rig.loop()};
  std::vector<std::string> told;
  std::shared_ptr<qmp_client> client;

  fake_qemu() {
    auto made = qmp_client::connect(
      rig.loop(), path,
      {[this](const qmp_ready& r) { told.push_back("ready " + r.version); },
       [this](const qmp_event& e) { told.push_back("event " + e.name); },
       [this](const error& e) { told.push_back("lost " + e.what); }});
    REQUIRE(made);
    client = *made;
    peer = acceptor.accept();
  }
  ~fake_qemu() { client->close(); }

  void say(const std::string& text) { asio::write(peer, asio::buffer(text)); }
  std::string hear() {
    std::string line;
    asio::read_until(peer, asio::dynamic_buffer(line), '\n');
    return line;
  }
  void be_ready() {
    say(greeting);
    wait([this] { return peer.available() > 0; });
    CHECK(hear().find("qmp_capabilities") != std::string::npos);
    say("{\"return\": {}}\n");
    wait([this] { return client->is_ready(); });
  }
  void wait(const std::function<bool()>& reached) { REQUIRE(rig.run_until(reached)); }

  std::optional<result<nlohmann::json>> answer;
  callback<nlohmann::json> into_answer() {
    return [this](const result<nlohmann::json>& given) { answer = given; };
  }
  errc answered_code() {
    wait([this] { return answer.has_value(); });
    REQUIRE_FALSE(*answer);
    return answer->error().code;
  }
};

constexpr milliseconds soon{30};
constexpr milliseconds late{10'000};

} // namespace

TEST_CASE("a command without its greeting was never given to QEMU: retry") {
  fake_qemu qemu;
  qemu.client->call("cont", nullptr, soon, qemu.into_answer());
  CHECK(qemu.answered_code() == errc::retry);
  qemu.be_ready();
  CHECK(qemu.peer.available() == 0);
}

TEST_CASE("a command without its answer may have been carried out: timeout, and the late answer is "
          "dropped") {
  fake_qemu qemu;
  qemu.be_ready();
  qemu.client->call("cont", nullptr, soon, qemu.into_answer());
  CHECK(qemu.answered_code() == errc::timeout);
  CHECK(qemu.hear() == "{\"execute\":\"cont\"}\n");
  qemu.answer.reset();
  qemu.say("{\"return\": {}}\n{\"event\": \"RESUME\"}\n");
  qemu.wait([&] { return qemu.told.size() == 2; });
  CHECK(qemu.told == std::vector<std::string>{"ready 8.0.0", "event RESUME"});
  CHECK_FALSE(qemu.answer);
}

TEST_CASE("an earlier deadline set later is kept") {
  fake_qemu qemu;
  qemu.be_ready();
  qemu.client->call("query-status", nullptr, late, [](const result<nlohmann::json>&) {});
  qemu.client->call("cont", nullptr, soon, qemu.into_answer());
  CHECK(qemu.answered_code() == errc::timeout);
}

TEST_CASE("when QEMU closes, what was sent is lost and what was not can be sent again") {
  fake_qemu qemu;
  qemu.client->call("cont", nullptr, late, qemu.into_answer());
  qemu.peer.close();
  CHECK(qemu.answered_code() == errc::retry);
  CHECK(qemu.told.size() == 1);

  fake_qemu other;
  other.be_ready();
  other.client->call("cont", nullptr, late, other.into_answer());
  other.hear();
  other.peer.close();
  CHECK(other.answered_code() == errc::lost);
  other.answer.reset();
  other.client->call("cont", nullptr, late, other.into_answer());
  CHECK_FALSE(other.answer);
  CHECK(other.answered_code() == errc::retry);
}

TEST_CASE("garbage ends the connection with its reason") {
  fake_qemu qemu;
  qemu.be_ready();
  qemu.say("garbage\n");
  qemu.wait([&] { return qemu.told.size() == 2; });
  CHECK(qemu.told.back() == "lost QMP line is not a JSON object");
}

TEST_CASE("after close nothing is called, not even from inside a call") {
  fake_qemu qemu;
  qemu.be_ready();
  qemu.client->call("cont", nullptr, late, [&](const result<nlohmann::json>&) {
    qemu.client->close();
    qemu.told.push_back("closed");
  });
  qemu.say("{\"return\": {}}\n{\"event\": \"RESUME\"}\n");
  qemu.wait([&] { return qemu.told.size() == 2; });
  qemu.rig.loop().poll();
  CHECK(qemu.told.back() == "closed");
}

TEST_CASE("what QEMU said before it went away is drained") {
  fake_qemu qemu;
  qemu.be_ready();
  qemu.say("{\"event\": \"MIGRATION\"}\n{\"event\": \"SHUTDOWN\"}\n");
  qemu.client->drain();
  CHECK(qemu.told.size() == 3);
}

TEST_CASE("a descriptor travels with its command and our copy is closed") {
  fake_qemu qemu;
  qemu.be_ready();
  unique_fd file(::open(qemu.path.c_str(), O_PATH | O_CLOEXEC));
  REQUIRE(file);
  const int number = file.get();
  qemu.client->call_with_fd("getfd", {{"fdname", "x"}}, std::move(file), late, qemu.into_answer());
  CHECK(::fcntl(number, F_GETFD) == -1);
  std::array<char, 256> text{};
  std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  CHECK(::recvmsg(qemu.peer.native_handle(), &message, MSG_CMSG_CLOEXEC) > 0);
  const auto* header = CMSG_FIRSTHDR(&message);
  REQUIRE(header != nullptr);
  CHECK(header->cmsg_type == SCM_RIGHTS);
  int received = -1;
  std::memcpy(&received, CMSG_DATA(header), sizeof received);
  CHECK(unique_fd(received).get() >= 0);
}

TEST_CASE("a socket that is not there is an error at once") {
  asio::io_context loop;
  CHECK(qmp_client::connect(loop, "/nonexistent/x.qmp", {}).error().code == errc::lost);
  CHECK(qmp_client::connect(loop, std::string(200, 'x'), {}).error().code == errc::invalid);
}

} // namespace drover
