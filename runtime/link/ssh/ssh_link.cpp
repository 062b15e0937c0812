#include "runtime/link/ssh/ssh_link.hpp"

#include "runtime/base/check.hpp"
#include "runtime/link/ssh/ssh_login.hpp"
#include "runtime/link/ssh/ssh_pipe.hpp"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <utility>

namespace drover {

/// Lives on the loop's thread.
class ssh_link::state : public std::enable_shared_from_this<state> {
public:
  state(std::shared_ptr<ssh_shared> shared, ssh_link_settings settings)
    : shared_(std::move(shared)), settings_(std::move(settings)) {}

  void open(link_events events) {
    DROVER_CHECK(!login_ && !pipe_, "a link is opened only after it was closed");
    events_ = std::move(events);
    login_ = std::make_shared<ssh::ssh_login>(
      shared_, settings_,
      [weak = weak_from_this()](result<std::shared_ptr<ssh::ssh_session>> outcome) {
        if (const auto self = weak.lock())
          self->logged_in(std::move(outcome));
      });
    const auto login = login_;
    login->begin();
  }

  void send(std::string_view line) {
    if (pipe_)
      pipe_->send(line);
  }

  void close() {
    if (pipe_)
      return pipe_->close();
    if (const auto login = std::exchange(login_, nullptr)) {
      login->cancel();
      closed({errc::lost, "the link was closed", {}});
    }
  }

  void abandon() {
    events_ = {};
    if (const auto login = std::exchange(login_, nullptr))
      login->cancel();
    if (const auto pipe = std::exchange(pipe_, nullptr))
      pipe->forget();
  }

private:
  void logged_in(result<std::shared_ptr<ssh::ssh_session>> outcome) {
    login_ = nullptr;
    if (!outcome)
      return closed(outcome.error());
    pipe_ = std::make_shared<ssh::ssh_pipe>(
      shared_->context(), settings_, std::move(*outcome),
      ssh::ssh_pipe::listener{events_.line, [weak = weak_from_this()](error why) {
                                const auto self = weak.lock();
                                if (!self)
                                  return;
                                self->pipe_ = nullptr;
                                self->closed(std::move(why));
                              }});
    const auto pipe = pipe_;
    pipe->begin();
    if (pipe_ && events_.opened)
      events_.opened();
  }

  void closed(error why) {
    // Whoever is told may open the link again from within.
    const auto events = std::exchange(events_, {});
    if (events.closed)
      events.closed(std::move(why));
  }

  std::shared_ptr<ssh_shared> shared_;
  ssh_link_settings settings_;
  link_events events_;
  std::shared_ptr<ssh::ssh_login> login_; ///< of the link that opens
  std::shared_ptr<ssh::ssh_pipe> pipe_;   ///< of the open link
};

ssh_link::ssh_link(
  std::shared_ptr<link_loop> loop, std::shared_ptr<ssh_shared> shared, ssh_link_settings settings)
  : loop_(std::move(loop)),
    state_(std::make_shared<state>(std::move(shared), std::move(settings))) {}

ssh_link::~ssh_link() {
  asio::post(loop_->context(), [s = state_] { s->abandon(); });
}

void ssh_link::open(link_events events) {
  asio::post(
    loop_->context(), [s = state_, e = std::move(events)]() mutable { s->open(std::move(e)); });
}

void ssh_link::send(std::string line) {
  asio::post(loop_->context(), [s = state_, text = std::move(line)] { s->send(text); });
}

void ssh_link::close() {
  asio::post(loop_->context(), [s = state_] { s->close(); });
}

} // namespace drover
