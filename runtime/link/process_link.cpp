#include "runtime/link/process_link.hpp"

#include "runtime/base/check.hpp"
#include "runtime/link/agent_run.hpp"

#include <asio/post.hpp>
#include <atomic>
#include <utility>

namespace drover {

/// Lives on the loop's thread; only `pid` is read from elsewhere.
class process_link::state : public std::enable_shared_from_this<state> {
public:
  state(asio::io_context& context, process_link_settings settings)
    : context_(context), settings_(std::move(settings)) {}

  void open(link_events events) {
    DROVER_CHECK(!run_, "a link is opened only after it was closed");
    auto child = spawn_child(settings_.argv, settings_.log_path);
    if (!child) {
      events.closed(child.error());
      return;
    }
    pid_ = child->pid;
    const auto weak = weak_from_this();
    run_ = std::make_shared<agent_run>(
      context_, settings_, std::move(*child),
      agent_run::listener{events.line, [weak, closed = events.closed](error why) {
                            if (const auto self = weak.lock())
                              self->ended();
                            closed(std::move(why));
                          }});
    run_->begin();
    events.opened();
  }

  void send(std::string_view line) {
    if (run_)
      run_->send(line);
  }

  void close() {
    if (run_)
      run_->close();
  }

  void abandon() {
    if (const auto run = std::exchange(run_, nullptr))
      run->forget();
  }

  pid_t pid() const { return pid_; }

private:
  void ended() {
    pid_ = 0;
    run_.reset();
  }

  asio::io_context& context_;
  process_link_settings settings_;
  std::shared_ptr<agent_run> run_; ///< of the open link
  std::atomic<pid_t> pid_{0};
};

process_link::process_link(std::shared_ptr<link_loop> loop, process_link_settings settings)
  : loop_(std::move(loop)), state_(std::make_shared<state>(loop_->context(), std::move(settings))) {
}

process_link::~process_link() {
  asio::post(loop_->context(), [s = state_] { s->abandon(); });
}

void process_link::open(link_events events) {
  asio::post(
    loop_->context(), [s = state_, e = std::move(events)]() mutable { s->open(std::move(e)); });
}

void process_link::send(std::string line) {
  asio::post(loop_->context(), [s = state_, text = std::move(line)] { s->send(text); });
}

void process_link::close() {
  asio::post(loop_->context(), [s = state_] { s->close(); });
}

pid_t process_link::pid() const { return state_->pid(); }

} // namespace drover
