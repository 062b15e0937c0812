#include "runtime/hypervisor/stream_channels.hpp"

#include "runtime/hypervisor/unix_socket.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace drover {

namespace {

/// QEMU accepts within its main loop, which may be busy with the connections before.
constexpr milliseconds connect_again{2};

} // namespace

// -- source --------------------------------------------------------------------------------------

outgoing_channels::outgoing_channels(
  std::shared_ptr<machine_host> host, std::filesystem::path file, const listening& door,
  callback<done> ready)
  : host_(std::move(host)), file_(std::move(file)), door_(door), ready_(std::move(ready)),
    acceptor_(host_->loop) {
  knocks_.resize(connections_of(door.channels));
  outer_.resize(knocks_.size());
}

std::shared_ptr<outgoing_channels> outgoing_channels::open(
  std::shared_ptr<machine_host> host, std::filesystem::path file, const listening& door,
  callback<done> ready) {
  std::shared_ptr<outgoing_channels> self(
    new outgoing_channels(std::move(host), std::move(file), door, std::move(ready)));
  asio::post(self->host_->loop, [weak = std::weak_ptr(self)] {
    if (const auto alive = weak.lock(); alive && alive->open_)
      alive->begin();
  });
  return self;
}

void outgoing_channels::begin() {
  auto listener = listen_privately(file_, static_cast<int>(outer_.size()));
  if (!listener)
    return give_up(listener.error());
  asio::error_code failure;
  acceptor_.assign(asio::local::stream_protocol(), listener->release(), failure);
  if (failure)
    return give_up({errc::retry, "cannot listen for QEMU", failure.message()});
  host_->start_relay_aside(file_, [weak = weak_from_this()](result<new_relay> made) {
    if (const auto self = weak.lock(); self && self->open_)
      self->relay_started(std::move(made));
  });
  knock(0);
}

void outgoing_channels::knock(std::size_t which) {
  knocks_[which] = stream_knock::knock(
    host_->loop, door_.host, door_.port, door_.token,
    [weak = weak_from_this(), which](result<unique_fd> connection) {
      if (const auto self = weak.lock(); self && self->open_)
        self->admitted(which, std::move(connection));
    });
}

void outgoing_channels::admitted(std::size_t which, result<unique_fd> connection) {
  if (!connection)
    return give_up(connection.error());
  outer_[which] = std::move(*connection);
  ++admitted_;
  if (which == 0)
    for (std::size_t next = 1; next < outer_.size(); ++next)
      knock(next);
  tell_if_ready();
}

void outgoing_channels::relay_started(result<new_relay> made) {
  if (!made)
    return give_up(made.error());
  relay_ = std::move(made->control);
  tell_if_ready();
}

void outgoing_channels::tell_if_ready() {
  if (admitted_ < outer_.size() || !relay_)
    return;
  accept_next();
  std::exchange(ready_, {})(done{});
}

void outgoing_channels::give_up(const error& why) {
  const auto keep = shared_from_this();
  const auto ready = std::exchange(ready_, {});
  close();
  if (ready)
    ready(tl::unexpected(why));
}

void outgoing_channels::accept_next() {
  acceptor_.async_accept(
    [weak = weak_from_this()](
      const asio::error_code& failure, asio::local::stream_protocol::socket from_qemu) {
      const auto self = weak.lock();
      if (self && self->open_ && !failure)
        self->accepted(unique_fd(from_qemu.release()));
    });
}

void outgoing_channels::accepted(unique_fd from_qemu) {
  auto& outer = outer_[handed_on_];
  if (!hand_to_relay(relay_, std::move(from_qemu), std::move(outer)))
    return close(); // QEMU sees its connections close, and says how its stream ended.
  if (++handed_on_ < outer_.size())
    return accept_next();
  complete_relay(std::move(relay_));
  close();
}

void outgoing_channels::close() {
  if (!std::exchange(open_, false))
    return;
  ready_ = {};
  ::unlink(file_.c_str());
  asio::error_code ignored;
  acceptor_.close(ignored);
  for (const auto& one : knocks_)
    if (one)
      one->close();
  outer_.clear();
  relay_.reset();
}

// -- target --------------------------------------------------------------------------------------

incoming_channels::incoming_channels(
  std::shared_ptr<machine_host> host, std::filesystem::path file, std::uint32_t channels)
  : host_(std::move(host)), file_(std::move(file)), expected_(connections_of(channels)),
    again_(host_->loop) {}

std::shared_ptr<incoming_channels> incoming_channels::open(
  std::shared_ptr<machine_host> host, std::filesystem::path file, std::uint32_t channels) {
  std::shared_ptr<incoming_channels> self(
    new incoming_channels(std::move(host), std::move(file), channels));
  self->host_->start_relay_aside(self->file_, [weak = std::weak_ptr(self)](result<new_relay> made) {
    if (const auto alive = weak.lock(); alive && alive->open_)
      alive->relay_started(std::move(made));
  });
  return self;
}

void incoming_channels::relay_started(result<new_relay> made) {
  if (!made)
    return close(); // The source is turned away.
  relay_ = std::move(made->control);
  tell_all();
}

void incoming_channels::listens() {
  if (!open_)
    return;
  listens_ = true;
  ::chmod(file_.c_str(), 0600);
  tell_all();
}

void incoming_channels::add(unique_fd connection) {
  if (!open_)
    return;
  waiting_.push_back(std::make_shared<waiting>(host_->loop, std::move(connection)));
  tell_all();
}

void incoming_channels::tell_all() {
  if (!listens_ || !relay_)
    return;
  for (const auto& one : waiting_) {
    if (std::exchange(one->was_told, true))
      continue;
    // A source that has gone meanwhile is a connection that ends: QEMU is shown that, too.
    static_cast<void>(give_go_ahead(one->outer.native_handle()));
    one->outer.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [weak = weak_from_this(), who = std::weak_ptr(one)](const asio::error_code& failure) {
        const auto self = weak.lock();
        const auto speaker = who.lock();
        if (!self || !self->open_ || !speaker || failure)
          return;
        speaker->speaks = true;
        self->connect_those_who_speak();
      });
  }
}

void incoming_channels::connect_those_who_speak() {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const bool is_main = handed_on_ == 0 && at == waiting_.begin();
    if (!(*at)->speaks || (handed_on_ == 0 && !is_main)) {
      ++at;
      continue;
    }
    auto inner = connect_at_once(file_);
    if (!inner && inner.error().code == errc::retry) {
      again_.expires_after(connect_again);
      return again_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
        if (const auto self = weak.lock(); self && self->open_ && !cancelled)
          self->connect_those_who_speak();
      });
    }
    if (!inner || !hand_to_relay(relay_, std::move(*inner), unique_fd((*at)->outer.release())))
      return close();
    at = waiting_.erase(at);
    ++handed_on_;
  }
  if (handed_on_ < expected_)
    return;
  complete_relay(std::move(relay_));
  close();
}

void incoming_channels::close() {
  if (!std::exchange(open_, false))
    return;
  ::unlink(file_.c_str());
  again_.cancel();
  waiting_.clear();
  relay_.reset();
}

} // namespace drover
