#include "runtime/agent/node_lock.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace drover {

node_lock::node_lock(std::filesystem::path run_dir)
  : next_(run_dir / "agent.next"),
    file_(::open((run_dir / "agent.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}

node_lock::~node_lock() {
  leave_line();
  if (file_ >= 0)
    ::close(file_);
}

bool node_lock::take() {
  if (file_ < 0 || ::flock(file_, LOCK_EX | LOCK_NB) != 0)
    return false;
  leave_line();
  return true;
}

void node_lock::wait_in_line() {
  if (std::exchange(in_line_, true))
    return;
  std::ofstream{next_} << ::getpid() << '\n';
}

void node_lock::leave_line() {
  if (std::exchange(in_line_, false))
    ::unlink(next_.c_str());
}

bool node_lock::is_awaited() const {
  pid_t waiting = 0;
  // One that was killed while it waited has left its file: only a living process counts.
  return std::ifstream{next_} >> waiting && waiting > 0 && waiting != ::getpid() &&
         ::kill(waiting, 0) == 0;
}

void node_lock::sign(std::string_view controller) {
  const auto text = "pid " + std::to_string(::getpid()) + ", controller " + std::string{controller};
  if (::ftruncate(file_, 0) == 0)
    static_cast<void>(::pwrite(file_, text.data(), text.size(), 0));
}

std::string node_lock::holder() const {
  std::array<char, 512> text{};
  const auto n = ::pread(file_, text.data(), text.size(), 0);
  return n > 0 ? std::string{text.data(), static_cast<std::size_t>(n)} : "it has not said who";
}

} // namespace drover
