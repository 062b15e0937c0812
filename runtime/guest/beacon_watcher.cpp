#include "runtime/guest/beacon_watcher.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <string_view>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace drover {

namespace {

/// Epoll's word for an event: the VM whose connections are ready, with one bit more when it is the
/// VM's listener; 0 = the end is asked.
constexpr std::uint64_t end_asked = 0;
constexpr std::uint64_t listener_bit = 1ULL << 32;
constexpr int events_max = 64;
/// A beat is 4 bytes in 4 writes, and a socket's buffer holds a few hundred such writes.
constexpr std::size_t read_size = 4096;

class owned_fd {
public:
  owned_fd() = default;
  explicit owned_fd(int fd) : fd_(fd) {}
  owned_fd(owned_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  owned_fd& operator=(owned_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~owned_fd() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

private:
  int fd_ = -1;
};

std::string system_text(int number) { return std::generic_category().message(number); }

/// Precondition: the path fits, with its end mark.
sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

owned_fd unix_socket() {
  return owned_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

bool somebody_listens(const sockaddr_un& address) {
  const auto probe = unix_socket();
  return probe &&
         ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

result<owned_fd> listen_at(const std::string& path) {
  if (path.size() > beacon_watcher::path_max)
    return fail(
      errc::invalid,
      "the socket's path has " + std::to_string(path.size()) + " bytes, more than the " +
        std::to_string(beacon_watcher::path_max) + " that a unix socket can have",
      path);
  const auto address = address_of(path);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  auto listener = unix_socket();
  if (!listener)
    return fail(errc::retry, "no socket: " + system_text(errno), path);
  if (::bind(listener.get(), generic, sizeof address) != 0) {
    if (errno != EADDRINUSE)
      return fail(errc::invalid, "cannot bind: " + system_text(errno), path);
    if (somebody_listens(address))
      return fail(errc::conflict, "somebody else listens here", path);
    std::error_code ignored;
    if (
      !std::filesystem::is_socket(path, ignored) || ::unlink(path.c_str()) != 0 ||
      ::bind(listener.get(), generic, sizeof address) != 0)
      return fail(errc::invalid, "the place is taken by something else than a socket", path);
  }
  if (::listen(listener.get(), SOMAXCONN) != 0)
    return fail(errc::retry, "cannot listen: " + system_text(errno), path);
  return listener;
}

} // namespace

/// The thread and all that it shares with the callers, under one lock.
class beacon_watcher::loop {
public:
  loop(std::filesystem::path directory, owned_fd poll, owned_fd end)
    : directory_(std::move(directory)), poll_(std::move(poll)), end_(std::move(end)) {
    thread_ = std::thread([this] { run(); });
  }

  ~loop() { close(); }

  std::string socket_path(vm_id vm) const { return directory_ / (to_string(vm) + ".beat"); }

  result<std::string> watch(vm_id vm) {
    const std::lock_guard held(lock_);
    auto path = socket_path(vm);
    if (closed_)
      return fail(errc::refused, "the watcher is closed", path);
    if (watched_.contains(vm))
      return path;
    auto listener = listen_at(path);
    if (!listener)
      return tl::unexpected(listener.error());
    if (!poll_for(listener->get(), vm.value | listener_bit)) {
      ::unlink(path.c_str());
      return fail(errc::retry, "cannot wait for connections: " + system_text(errno), path);
    }
    watched_[vm].listener = std::move(*listener);
    return path;
  }

  std::optional<beacon_report> report(vm_id vm) const {
    const std::lock_guard held(lock_);
    const auto found = watched_.find(vm);
    return found == watched_.end() ? std::nullopt : std::optional(found->second.stream.report());
  }

  std::map<vm_id, beacon_report> reports() const {
    const std::lock_guard held(lock_);
    std::map<vm_id, beacon_report> out;
    for (const auto& [vm, watched] : watched_)
      out.emplace(vm, watched.stream.report());
    return out;
  }

  result<done> wait_for_beats(vm_id vm, std::uint64_t beats, milliseconds timeout) const {
    std::unique_lock held(lock_);
    const auto found = watched_.find(vm);
    if (found == watched_.end())
      return fail(errc::invalid, "the VM is not watched", to_string(vm));
    const auto& report = found->second.stream.report();
    const auto begin = report.beats;
    if (changed_.wait_for(held, timeout, [&] { return report.beats - begin >= beats; }))
      return done{};
    return fail(
      errc::timeout,
      "heard " + std::to_string(report.beats - begin) + " beats of " + std::to_string(beats) +
        " within " + std::to_string(timeout.count()) + " ms",
      to_string(vm));
  }

  void close() {
    {
      const std::lock_guard held(lock_);
      if (std::exchange(closed_, true))
        return;
    }
    const std::uint64_t one = 1;
    // An eventfd that was never written before takes the write at once.
    [[maybe_unused]] const auto written = ::write(end_.get(), &one, sizeof one);
    thread_.join();
    const std::lock_guard held(lock_);
    for (auto& [vm, watched] : watched_) {
      watched.listener = owned_fd{};
      watched.connections.clear();
      ::unlink(socket_path(vm).c_str());
    }
  }

private:
  struct connection {
    owned_fd fd;
    beacon_process_id process;
    std::string unread; ///< read from the socket, not judged yet
    bool ended = false;
  };

  struct watched_vm {
    owned_fd listener;
    std::vector<connection> connections; ///< oldest first
    beacon_stream stream;
  };

  bool poll_for(int fd, std::uint64_t word) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = word;
    return ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  }

  void run() {
    std::array<epoll_event, events_max> events{};
    for (;;) {
      const int count = ::epoll_wait(poll_.get(), events.data(), events_max, -1);
      for (int i = 0; i < count; ++i) {
        const auto word = events[static_cast<std::size_t>(i)].data.u64;
        if (word == end_asked)
          return;
        const vm_id vm{static_cast<std::uint32_t>(word)};
        const std::lock_guard held(lock_);
        if (word & listener_bit)
          accept_all(vm, watched_.at(vm));
        else
          serve(watched_.at(vm));
      }
      changed_.notify_all();
    }
  }

  /// Newest first, then oldest first: see the header.
  void serve(watched_vm& vm) {
    for (auto at = vm.connections.rbegin(); at != vm.connections.rend(); ++at)
      read_all(*at);
    const auto now = monotonic_now();
    for (auto& each : vm.connections) {
      vm.stream.feed(each.process, each.unread, now);
      each.unread.clear();
      if (each.ended)
        vm.stream.end_process(each.process);
    }
    std::erase_if(vm.connections, [](const connection& each) { return each.ended; });
  }

  void accept_all(vm_id id, watched_vm& vm) {
    for (;;) {
      owned_fd fd{::accept4(vm.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
      if (!fd)
        return;
      ucred peer{};
      socklen_t size = sizeof peer;
      if (
        ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        poll_for(fd.get(), id.value))
        vm.connections.push_back({std::move(fd), vm.stream.add_process(peer.pid), {}, false});
    }
  }

  static void read_all(connection& from) {
    std::array<char, read_size> buffer;
    for (;;) {
      const auto size = ::recv(from.fd.get(), buffer.data(), buffer.size(), 0);
      if (size > 0)
        from.unread.append(buffer.data(), static_cast<std::size_t>(size));
      if (size == static_cast<ssize_t>(buffer.size()) || (size < 0 && errno == EINTR))
        continue;
      from.ended = size == 0 || (size < 0 && errno != EAGAIN);
      return;
    }
  }

  const std::filesystem::path directory_;
  owned_fd poll_;
  owned_fd end_;
  mutable std::mutex lock_;
  mutable std::condition_variable changed_;
  std::map<vm_id, watched_vm> watched_;
  bool closed_ = false;
  std::thread thread_;
};

result<std::unique_ptr<beacon_watcher>> beacon_watcher::open(
  const std::filesystem::path& directory) {
  std::error_code wrong;
  if (!std::filesystem::is_directory(directory, wrong))
    return fail(errc::invalid, "expected a directory for the beacons' sockets", directory);
  owned_fd poll{::epoll_create1(EPOLL_CLOEXEC)};
  owned_fd end{::eventfd(0, EFD_CLOEXEC)};
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = end_asked;
  if (!poll || !end || ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, end.get(), &event) != 0)
    return fail(errc::retry, "no event queue: " + system_text(errno), directory);
  try {
    return std::unique_ptr<beacon_watcher>(
      new beacon_watcher(std::make_unique<loop>(directory, std::move(poll), std::move(end))));
  } catch (const std::system_error& no_thread) {
    return fail(errc::retry, std::string("no thread: ") + no_thread.what(), directory);
  }
}

beacon_watcher::beacon_watcher(std::unique_ptr<loop> running) : loop_(std::move(running)) {}
beacon_watcher::~beacon_watcher() = default;

result<std::string> beacon_watcher::watch(vm_id vm) { return loop_->watch(vm); }
std::string beacon_watcher::socket_path(vm_id vm) const { return loop_->socket_path(vm); }
std::optional<beacon_report> beacon_watcher::report(vm_id vm) const { return loop_->report(vm); }
std::map<vm_id, beacon_report> beacon_watcher::reports() const { return loop_->reports(); }
result<done> beacon_watcher::wait_for_beats(
  vm_id vm, std::uint64_t beats, milliseconds timeout) const {
  return loop_->wait_for_beats(vm, beats, timeout);
}
void beacon_watcher::close() { loop_->close(); }

} // namespace drover
