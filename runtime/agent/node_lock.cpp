#include "runtime/agent/node_lock.hpp"

#include <array>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace drover {

node_lock::node_lock(const std::filesystem::path& run_dir)
  : file_(::open((run_dir / "agent.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}

node_lock::~node_lock() {
  if (file_ >= 0)
    ::close(file_);
}

bool node_lock::take() { return file_ >= 0 && ::flock(file_, LOCK_EX | LOCK_NB) == 0; }

void node_lock::sign(std::string_view controller) const {
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
