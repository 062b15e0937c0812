#include "runtime/link/link_loop.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <csignal>

namespace drover {

link_loop::link_loop() : context_(std::make_shared<asio::io_context>(1)) {
  // Signals are for the program's own threads.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([context = context_] {
    const auto stay = asio::make_work_guard(*context);
    context->run();
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

link_loop::~link_loop() {
  context_->stop();
  // Whoever is told by a link may hold the link, and so the last share.
  if (thread_.get_id() == std::this_thread::get_id())
    thread_.detach();
  else
    thread_.join();
}

} // namespace drover
