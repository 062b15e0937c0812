// The connections of a stream with several channels, while they come up: QEMU's to the agent by a
// private unix socket, the agents' to each other by the door, the relay between. Rule: QEMU is told
// to connect only when everything on the network stands, the main connection first; a failure of
// one ends all; the socket's file goes with the last connection and at every failure.
//
//   target's agent                                    source's agent
//   door: so many with one token   <-- main --------  knock; the others once the first is through
//   QEMU: migrate-incoming unix:F                     listens at F
//   go-ahead for each              -------------->    QEMU: migrate unix:F
//   first byte comes: connects to F                   QEMU connects to F: main, then the channels
//   F goes                                            F goes
//
// The target connects to QEMU only for what has something to say: QEMU 8 and later look at a
// connection's first bytes and wait for them with everything else standing still.
#pragma once

#include "runtime/hypervisor/machine_host.hpp"
#include "runtime/hypervisor/relay_process.hpp"
#include "runtime/hypervisor/stream_door.hpp"

#include <asio/local/stream_protocol.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace drover {

/// Connections of a stream with so many channels: the main one is none of them.
constexpr std::uint32_t connections_of(std::uint32_t channels) {
  return channels > 1 ? channels + 1 : 1;
}

/// Source's end.
class outgoing_channels : public std::enable_shared_from_this<outgoing_channels> {
public:
  /// `ready` is called once, later: QEMU may connect to `file`. Errors as a knock's; nothing was
  /// streamed then.
  static std::shared_ptr<outgoing_channels> open(
    std::shared_ptr<machine_host> host, std::filesystem::path file, const listening& door,
    callback<done> ready);
  ~outgoing_channels() { close(); }
  /// What does not stand yet never will; nothing is called any more.
  void close();

private:
  outgoing_channels(
    std::shared_ptr<machine_host> host, std::filesystem::path file, const listening& door,
    callback<done> ready);
  void begin();
  void knock(std::size_t which);
  void admitted(std::size_t which, result<unique_fd> connection);
  void relay_started(result<new_relay> made);
  void tell_if_ready();
  void give_up(const error& why);
  void accept_next();
  void accepted(unique_fd from_qemu);

  std::shared_ptr<machine_host> host_;
  std::filesystem::path file_;
  listening door_;
  callback<done> ready_;
  std::vector<std::shared_ptr<stream_knock>> knocks_;
  std::vector<unique_fd> outer_; ///< by order; the main one first
  std::size_t admitted_ = 0;
  std::size_t handed_on_ = 0;
  unique_fd relay_;
  asio::local::stream_protocol::acceptor acceptor_;
  bool open_ = true;
};

/// Target's end.
class incoming_channels : public std::enable_shared_from_this<incoming_channels> {
public:
  static std::shared_ptr<incoming_channels> open(
    std::shared_ptr<machine_host> host, std::filesystem::path file, std::uint32_t channels);
  ~incoming_channels() { close(); }
  /// One that the door has let in.
  void add(unique_fd connection);
  /// QEMU listens at the file.
  void listens();
  void close();

private:
  struct waiting {
    waiting(asio::io_context& loop, unique_fd fd) : outer(loop, fd.release()) {}
    asio::posix::stream_descriptor outer;
    bool was_told = false; ///< to go ahead
    bool speaks = false;   ///< something has come
  };

  incoming_channels(
    std::shared_ptr<machine_host> host, std::filesystem::path file, std::uint32_t channels);
  void relay_started(result<new_relay> made);
  void tell_all();
  void connect_those_who_speak();

  std::shared_ptr<machine_host> host_;
  std::filesystem::path file_;
  std::size_t expected_;
  std::size_t handed_on_ = 0;
  std::deque<std::shared_ptr<waiting>> waiting_; ///< the main one first, until it was handed on
  unique_fd relay_;
  asio::steady_timer again_;
  bool listens_ = false;
  bool open_ = true;
};

} // namespace drover
