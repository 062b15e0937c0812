#include "runtime/hypervisor/stream_relay.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace drover {

namespace {

/// Of each way; what the kernel refuses to give stays at its usual 64 KiB.
constexpr int pipe_bytes = 256 * 1024;
/// Then the other connections have their turn.
constexpr int rounds_most = 16;
constexpr milliseconds gate_look{1};
constexpr milliseconds idle_wait{60'000};

bool is_passing() { return errno == EAGAIN || errno == EINTR; }

void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

/// Bytes that a peer has not acknowledged, or that wait here to be read.
int bytes_waiting(int fd, unsigned long question) {
  int bytes = 0;
  return ::ioctl(fd, question, &bytes) == 0 ? bytes : 0;
}

} // namespace

// -- one way -------------------------------------------------------------------------------------

relay_way::relay_way(int from, int to, when_lost then) : from_(from), to_(to), then_(then) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    give_up();
    return;
  }
  pipe_out_.reset(ends[0]);
  pipe_in_.reset(ends[1]);
  ::fcntl(pipe_in_.get(), F_SETPIPE_SZ, pipe_bytes);
}

bool relay_way::pump() {
  bool any = false;
  for (int i = 0; i < rounds_most && !over_; ++i) {
    const auto in = take_in();
    const auto out = hand_on();
    if (in == moved::nothing && out == moved::nothing)
      return any;
    any = true;
  }
  return any;
}

relay_way::moved relay_way::take_in() {
  if (ended_)
    return moved::nothing;
  const auto n = ::splice(
    from_, nullptr, pipe_in_.get(), nullptr, pipe_bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n < 0 && is_passing())
    return moved::nothing;
  // A peer that went away without reading everything has sent all that it ever will, too.
  if (n <= 0)
    ended_ = true;
  else
    held_bytes_ += static_cast<std::size_t>(n);
  return moved::something;
}

relay_way::moved relay_way::hand_on() {
  if (over_)
    return moved::nothing;
  auto end = moved::nothing;
  if (swallows_) {
    end = held_bytes_ > 0 ? moved::something : moved::nothing;
    swallow_held();
  }
  if (held_bytes_ > 0) {
    const auto n = ::splice(
      pipe_out_.get(), nullptr, to_, nullptr, held_bytes_, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0 && is_passing())
      return end;
    end = moved::something;
    if (n <= 0)
      lose_taker();
    else
      held_bytes_ -= static_cast<std::size_t>(n);
  }
  if (ended_ && held_bytes_ == 0 && !over_) {
    ::shutdown(to_, SHUT_WR);
    over_ = true;
    end = moved::something;
  }
  return end;
}

void relay_way::lose_taker() {
  if (then_ == when_lost::end)
    return give_up();
  swallows_ = true;
  swallow_held();
}

void relay_way::swallow_held() {
  has_wasted_ = has_wasted_ || held_bytes_ > 0;
  std::array<char, 65536> bytes{};
  while (held_bytes_ > 0) {
    const auto n = ::read(pipe_out_.get(), bytes.data(), std::min(bytes.size(), held_bytes_));
    if (n <= 0)
      return give_up();
    held_bytes_ -= static_cast<std::size_t>(n);
  }
}

void relay_way::give_up() {
  ended_ = true;
  over_ = true;
  held_bytes_ = 0;
}

// -- all of them ---------------------------------------------------------------------------------

stream_relay::stream_relay(unique_fd control)
  : control_(std::move(control)), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
  make_nonblocking(control_.get());
  watch(control_.get(), 0);
}

bool stream_relay::watch(int fd, std::uint64_t what) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = what;
  return ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void stream_relay::add(unique_fd inner, unique_fd outer) {
  make_nonblocking(inner.get());
  make_nonblocking(outer.get());
  const auto id = ++last_id_;
  const auto then = id == 1 ? relay_way::when_lost::end : relay_way::when_lost::swallow;
  const auto& one =
    connections_.try_emplace(id, std::move(inner), std::move(outer), then).first->second;
  if (!watch(one.inner.get(), 2 * id) || !watch(one.outer.get(), 2 * id + 1))
    connections_.erase(id);
}

void stream_relay::listen_to_agent() {
  while (control_) {
    char what = 0;
    iovec bytes{&what, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> room{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    const auto n = ::recvmsg(control_.get(), &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && is_passing())
      return;
    if (n <= 0) {
      // The agent has gone in the middle: half a stream is none.
      if (!is_complete_)
        break_off();
      control_.reset();
      return;
    }
    is_complete_ = is_complete_ || what == complete_message;
    const auto* passed = CMSG_FIRSTHDR(&message);
    std::array<int, 2> fds{-1, -1};
    if (passed == nullptr || passed->cmsg_len != CMSG_LEN(sizeof fds))
      continue;
    std::memcpy(fds.data(), CMSG_DATA(passed), sizeof fds);
    add(unique_fd(fds[0]), unique_fd(fds[1]));
  }
}

void stream_relay::take_event(std::uint64_t what, std::uint32_t events) {
  const auto found = connections_.find(what / 2);
  if (found == connections_.end())
    return;
  ready_.insert(found->first);
  if ((events & (EPOLLHUP | EPOLLERR)) == 0)
    return;
  auto& one = found->second;
  const bool is_qemu = what % 2 == 0;
  (is_qemu ? one.in : one.out).lose_taker();
  if (is_qemu)
    limit(one, rest_deadline);
}

void stream_relay::limit(connection& one, milliseconds wait) {
  if (!one.until)
    one.until = monotonic_now() + wait;
}

/// The main connection closes; what QEMU still does with the others is up to it for a moment.
void stream_relay::break_off() {
  connections_.erase(1);
  for (auto& [id, one] : connections_)
    limit(one, lost_deadline);
}

milliseconds stream_relay::patience(milliseconds wait) const {
  if (!ready_.empty())
    return milliseconds{0};
  if (!gate_is_open_ && connections_.size() > 1)
    return gate_look;
  for (const auto& [id, one] : connections_)
    if (one.until)
      wait = std::min(wait, lost_deadline);
  return wait;
}

bool stream_relay::serve(milliseconds wait) {
  std::array<epoll_event, 64> events{};
  const int n = ::epoll_wait(
    poll_.get(), events.data(), static_cast<int>(events.size()),
    static_cast<int>(patience(wait).count()));
  for (int i = 0; i < n; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == 0)
      listen_to_agent();
    else
      take_event(event.data.u64, event.events);
  }
  open_gate_when_first_is_through();
  const auto now = monotonic_now();
  for (const auto& [id, one] : connections_)
    if (one.until && now >= *one.until)
      ready_.insert(id);
  const auto turn = ready_;
  for (const auto id : turn)
    carry(id);
  return control_ || !connections_.empty();
}

void stream_relay::open_gate_when_first_is_through() {
  if (gate_is_open_ || connections_.size() < 2)
    return;
  const auto first = connections_.find(1);
  gate_is_open_ =
    first == connections_.end() ||
    (first->second.out.is_empty() && bytes_waiting(first->second.inner.get(), FIONREAD) == 0 &&
     bytes_waiting(first->second.outer.get(), SIOCOUTQ) == 0);
  if (gate_is_open_)
    for (const auto& [id, one] : connections_)
      ready_.insert(id);
}

void stream_relay::carry(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end())
    return void(ready_.erase(id));
  auto& one = found->second;
  const bool may_send = id == 1 || gate_is_open_;
  const bool out = may_send && one.out.pump();
  const bool in = one.in.pump();
  if (one.out.swallows())
    limit(one, lost_deadline);
  const bool is_late = one.until && monotonic_now() >= *one.until;
  const bool is_broken = one.out.has_wasted();
  if (!out && !in)
    ready_.erase(id);
  if ((one.out.is_over() && one.in.is_over()) || is_late) {
    connections_.erase(found);
    ready_.erase(id);
  }
  if (is_broken)
    break_off();
}

int serve_stream_relay(int control) {
  std::signal(SIGPIPE, SIG_IGN);
  stream_relay relay{unique_fd(control)};
  while (relay.serve(idle_wait)) {
  }
  return 0;
}

} // namespace drover
