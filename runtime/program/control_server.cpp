#include "runtime/program/control_server.hpp"

#include "runtime/base/time.hpp"
#include "runtime/hypervisor/unix_socket.hpp"

#include <array>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace drover {
namespace {

constexpr int waiting_clients = 64;
/// How long the followers may take to read the end.
constexpr std::chrono::seconds end_patience{2};

} // namespace

unique_fd open_folder_of(const std::filesystem::path& socket) {
  return unique_fd{::open(socket.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
}

std::filesystem::path socket_path(const unique_fd& folder, const std::filesystem::path& socket) {
  return std::filesystem::path{"/proc/self/fd"} / std::to_string(folder.get()) / socket.filename();
}

result<std::unique_ptr<control_server>> control_server::open(
  const std::filesystem::path& socket, handler handle) {
  const auto folder = open_folder_of(socket);
  if (!folder)
    return fail(errc::refused, "the run's socket has no folder", socket.string());
  auto listening = listen_privately(socket_path(folder, socket), waiting_clients);
  if (!listening)
    return fail(listening.error().code, listening.error().what, socket.string());
  return std::unique_ptr<control_server>{
    new control_server{socket, std::move(*listening), std::move(handle)}};
}

control_server::control_server(std::filesystem::path socket, unique_fd listening, handler handle)
  : socket_(std::move(socket)), listening_(std::move(listening)),
    wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), handle_(std::move(handle)) {
  server_ = std::thread{[this] { serve(); }};
}

control_server::~control_server() { end({1, {}, {}}); }

void control_server::say(const std::string& text) {
  const std::lock_guard guard{mutex_};
  if (ended_)
    return;
  said_ += encode(control_answer{control_say{text}});
  eventfd_write(wake_.get(), 1);
}

void control_server::end(control_ended how) {
  {
    const std::lock_guard guard{mutex_};
    if (!ended_)
      ended_ = std::move(how);
    eventfd_write(wake_.get(), 1);
  }
  if (server_.joinable())
    server_.join();
}

void control_server::serve() {
  while (serve_once()) {
  }
  // Nobody new is let in: who comes now finds the end in the journal.
  std::error_code problem;
  std::filesystem::remove(socket_, problem);
  listening_.reset();
  const auto until = monotonic_now() + end_patience;
  for (auto& c : clients_) {
    while (c.follows && !c.out.empty() && monotonic_now() < until) {
      pollfd writable{c.fd.get(), POLLOUT, 0};
      if (poll(&writable, 1, 100) > 0)
        write_to(c);
      if (!c.fd)
        break;
    }
  }
  clients_.clear();
}

/// False when the run has ended.
bool control_server::serve_once() {
  std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}};
  for (const auto& c : clients_)
    fds.push_back({c.fd.get(), static_cast<short>(c.out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
  if (poll(fds.data(), fds.size(), -1) < 0)
    return true;
  std::size_t at = 2;
  for (auto& c : clients_)
    if (fds[at++].revents != 0)
      read_from(c);
  eventfd_t woken = 0;
  eventfd_read(wake_.get(), &woken);
  bool last = false;
  {
    const std::lock_guard guard{mutex_};
    auto said = std::exchange(said_, {});
    last = ended_.has_value();
    if (last)
      said += encode(control_answer{*ended_});
    for (auto& c : clients_)
      if (c.follows)
        c.out += said;
  }
  for (auto& c : clients_)
    if (c.fd && !c.out.empty())
      write_to(c);
  clients_.remove_if([](const client& c) {
    return !c.fd || c.out.size() > unsent_bytes_max || (c.leaves && c.out.empty());
  });
  if (!last && (fds[1].revents & POLLIN) != 0)
    accept_one();
  return !last;
}

void control_server::accept_one() {
  unique_fd fd{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (fd && clients_.size() < clients_max)
    clients_.push_back({std::move(fd)});
}

void control_server::read_from(client& c) {
  std::array<char, control_line_bytes_max> bytes{};
  const auto n = ::recv(c.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    return c.fd.reset();
  c.in.append(bytes.data(), static_cast<std::size_t>(n));
  for (auto end = c.in.find('\n'); end != std::string::npos && c.fd; end = c.in.find('\n')) {
    take_line(c, std::string_view{c.in}.substr(0, end));
    c.in.erase(0, end + 1);
  }
  if (c.in.size() > control_line_bytes_max)
    c.fd.reset();
}

void control_server::take_line(client& c, std::string_view line) {
  const auto ask = decode_ask(line);
  if (ask && *ask == control_ask::follow) {
    c.follows = true;
    return;
  }
  c.out += encode(control_answer{control_told{ask ? handle_(*ask) : to_string(ask.error())}});
  c.leaves = true;
}

void control_server::write_to(client& c) {
  const auto n = ::send(c.fd.get(), c.out.data(), c.out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n > 0)
    c.out.erase(0, static_cast<std::size_t>(n));
  else if (n < 0 && errno != EAGAIN && errno != EINTR)
    c.fd.reset();
}

} // namespace drover
