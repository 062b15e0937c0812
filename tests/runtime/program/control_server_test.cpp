#include "runtime/program/control_client.hpp"
#include "runtime/program/control_server.hpp"
#include "tests/support/run_program.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace drover;
using namespace drover::testing;

namespace {

std::unique_ptr<control_server> listening(
  const std::filesystem::path& socket, control_server::handler handle) {
  auto opened = control_server::open(socket, std::move(handle));
  if (!opened)
    FAIL(to_string(opened.error()));
  return std::move(*opened);
}

/// A client that knows nothing of the protocol.
unique_fd raw_client(const std::filesystem::path& socket) {
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.native().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

} // namespace

TEST_CASE(
  "whoever asks a run gets its answer, and followers its progress and its end", "[contract]") {
  const temporary_directory room;
  const auto socket = room.path() / "run.sock";
  std::atomic<int> pauses{0};
  auto server = listening(socket, [&pauses](control_ask ask) {
    pauses += ask == control_ask::pause ? 1 : 0;
    return "told " + std::string{to_string(ask)};
  });
  struct stat about {};
  REQUIRE(stat(socket.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777U) == 0600);
  CHECK(*ask_run(socket, control_ask::pause) == "told pause");
  CHECK(*ask_run(socket, control_ask::resume) == "told resume");
  CHECK(pauses == 1);

  const interrupts signals;
  std::promise<void> heard;
  std::string lines;
  auto followed = std::async(std::launch::async, [&] {
    return follow_run(socket, signals, [&](const std::string& text) {
      if (lines.empty())
        heard.set_value();
      lines += text;
    });
  });
  auto first = heard.get_future();
  while (first.wait_for(std::chrono::milliseconds{10}) == std::future_status::timeout)
    server->say("moved\n"); // Until the follower is known.
  server->say("last\n");
  server->end({6, "table", "json"});
  const auto end = followed.get();
  REQUIRE(end);
  REQUIRE(*end);
  CHECK((*end)->exit_code == 6);
  CHECK((*end)->table == "table");
  CHECK(lines.ends_with("last\n"));
  CHECK_FALSE(std::filesystem::exists(socket));
  CHECK(ask_run(socket, control_ask::pause).error().code == errc::lost);
}

TEST_CASE("what a stranger says to a run, or does not read, harms nobody", "[contract]") {
  const temporary_directory room;
  const auto socket = room.path() / "run.sock";
  auto server = listening(socket, [](control_ask) { return std::string{"yes"}; });
  const auto silent = raw_client(socket);
  const auto endless = raw_client(socket);
  const std::string much(3 * control_line_bytes_max, 'x');
  static_cast<void>(::send(endless.get(), much.data(), much.size(), MSG_NOSIGNAL));
  const auto nonsense = raw_client(socket);
  REQUIRE(::send(nonsense.get(), "sing\n", 5, MSG_NOSIGNAL) == 5);
  const auto deaf = raw_client(socket);
  const auto follow = encode(control_ask::follow);
  REQUIRE(::send(deaf.get(), follow.data(), follow.size(), MSG_NOSIGNAL) > 0);
  CHECK(*ask_run(socket, control_ask::cancel) == "yes");
  for (int i = 0; i < 100; ++i)
    server->say(std::string(64 * 1024, 'y'));
  CHECK(*ask_run(socket, control_ask::cancel) == "yes");
  server->end({0, {}, {}});
}

TEST_CASE("a run's socket may lie deep, and replaces one that a dead process left", "[contract]") {
  const temporary_directory room;
  const auto deep = room.path() / std::string(60, 'a') / std::string(60, 'b');
  std::filesystem::create_directories(deep);
  const auto socket = deep / "run.sock";
  auto first = listening(socket, [](control_ask) { return std::string{"first"}; });
  auto second = listening(socket, [](control_ask) { return std::string{"second"}; });
  CHECK(*ask_run(socket, control_ask::pause) == "second");
  const auto nowhere =
    control_server::open(room.path() / "none/run.sock", [](control_ask) { return std::string{}; });
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == errc::refused);
}
