#include "runtime/program/interrupts.hpp"

#include "runtime/base/check.hpp"

#include <array>
#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace drover {

interrupts::interrupts() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&set, s);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC);
  DROVER_CHECK(signals_ >= 0 && wake_ >= 0, "signalfd and eventfd need only descriptors");
  watcher_ = std::thread{[this] { watch(); }};
}

interrupts::~interrupts() {
  eventfd_write(wake_, 1);
  watcher_.join();
  ::close(signals_);
  ::close(wake_);
}

void interrupts::on_signal(std::function<void(unsigned)> handler) {
  const std::lock_guard guard{mutex_};
  handler_ = std::move(handler);
  if (handler_ && count_ > 0)
    handler_(count_);
}

unsigned interrupts::count() const {
  const std::lock_guard guard{mutex_};
  return count_;
}

void interrupts::wait(nanoseconds at_most) {
  std::unique_lock guard{mutex_};
  came_.wait_for(guard, at_most, [this] { return count_ > 0; });
}

void interrupts::watch() {
  std::array<pollfd, 2> fds{{{signals_, POLLIN, 0}, {wake_, POLLIN, 0}}};
  while (poll(fds.data(), fds.size(), -1) >= 0 || errno == EINTR) {
    if (fds[1].revents != 0)
      return;
    signalfd_siginfo info{};
    if ((fds[0].revents & POLLIN) == 0 || read(signals_, &info, sizeof info) != sizeof info)
      continue;
    const std::lock_guard guard{mutex_};
    ++count_;
    came_.notify_all();
    if (handler_)
      handler_(count_);
  }
}

} // namespace drover
