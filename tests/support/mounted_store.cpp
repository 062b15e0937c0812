#include "tests/support/mounted_store.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace drover::testing {
namespace {

using namespace std::chrono_literals;

/// For an answer of the shim, which itself never hangs.
constexpr std::chrono::milliseconds patience = 10s;

} // namespace

mounted_store::mounted_store(std::chrono::milliseconds lock_expiry) {
  std::filesystem::create_directory(path());
  std::filesystem::create_directory(files());
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    why_not_ = std::string("/dev/fuse cannot be opened: ") + std::strerror(errno);
    return;
  }
  start(lock_expiry);
  if (const auto said = read_line(); said != "mounted")
    why_not_ = "a FUSE file system cannot be mounted here";
}

void mounted_store::start(std::chrono::milliseconds lock_expiry) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipes"};
  const auto expiry = std::to_string(lock_expiry.count());
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    execl(
      DROVER_STORE_SHIM, DROVER_STORE_SHIM, files().c_str(), path().c_str(), expiry.c_str(),
      nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  in_ = in[1];
  out_ = out[0];
}

mounted_store::~mounted_store() {
  if (in_ >= 0)
    close(in_);
  for (int round = 0; pid_ > 0 && round < 500; ++round) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_)
      pid_ = -1;
    else
      std::this_thread::sleep_for(10ms);
  }
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  umount2(path().c_str(), MNT_DETACH); // Only a shim that was killed has left it.
  if (out_ >= 0)
    close(out_);
}

std::string mounted_store::read_line() {
  std::string line;
  const auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until) {
    pollfd ready{out_, POLLIN, 0};
    char one = 0;
    if (poll(&ready, 1, 100) <= 0)
      continue;
    if (read(out_, &one, 1) != 1)
      return line;
    if (one == '\n')
      return line;
    line += one;
  }
  return line;
}

std::string mounted_store::ask(const std::string& command) {
  const auto line = command + "\n";
  if (write(in_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    throw std::runtime_error{"the store shim is gone"};
  return read_line();
}

void mounted_store::tell(const std::string& command) {
  if (const auto said = ask(command); said != "ok")
    throw std::runtime_error{command + ": " + said};
}

mounted_store::figures mounted_store::status() {
  figures now;
  std::string word;
  std::istringstream said{ask("status")};
  said >> word >> now.writes >> word >> now.refused >> word >> now.hanging >> word >> now.moves;
  return now;
}

bool mounted_store::wait_until(
  const std::function<bool(const figures&)>& enough, std::chrono::seconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!enough(status())) {
    if (std::chrono::steady_clock::now() >= until)
      return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

void tell_skipped(const mounted_store& store) {
  std::printf("SKIPPED: %s\n", store.why_not().c_str());
}

} // namespace drover::testing
