// The socket of a run: whoever of this user asks there pauses, resumes or cancels the run, or
// follows it to its end. Rule: a thread of its own serves it; a follower that does not read is
// dropped, and nobody who moves VMs waits for one.
#pragma once

#include "runtime/base/unique_fd.hpp"
#include "runtime/program/control_wire.hpp"

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace drover {

class control_server {
public:
  static constexpr std::size_t clients_max = 64;
  /// What a follower has not read yet; beyond this it is dropped.
  static constexpr std::size_t unsent_bytes_max = 4U * 1024 * 1024;

  /// Called on the server's thread for everything but `follow`; returns what is told.
  using handler = std::function<std::string(control_ask)>;

  /// Listens at `socket` (0600); what was there before is replaced.
  static result<std::unique_ptr<control_server>> open(
    const std::filesystem::path& socket, handler handle);
  ~control_server();
  control_server(const control_server&) = delete;
  control_server& operator=(const control_server&) = delete;

  /// One line of progress for those who follow; returns at once.
  void say(const std::string& text);
  /// Tells the followers how it ended, waits a moment for them to read it, and closes.
  void end(control_ended how);

private:
  struct client {
    unique_fd fd;
    std::string in{};
    std::string out{};
    bool follows = false;
    bool leaves = false; ///< once `out` is sent
  };

  control_server(std::filesystem::path socket, unique_fd listening, handler handle);
  void serve();
  bool serve_once();
  void accept_one();
  void read_from(client& c);
  void take_line(client& c, std::string_view line);
  static void write_to(client& c);

  std::filesystem::path socket_;
  unique_fd listening_;
  unique_fd wake_;
  handler handle_;
  std::list<client> clients_; ///< of the server's thread
  std::mutex mutex_;
  std::string said_;                   ///< for all followers, not handed out yet
  std::optional<control_ended> ended_; ///< set once
  std::thread server_;
};

/// A path that is short enough for a socket, whatever the folder's is, while `folder` is open.
std::filesystem::path socket_path(const unique_fd& folder, const std::filesystem::path& socket);

/// Opens the folder of a socket.
unique_fd open_folder_of(const std::filesystem::path& socket);

} // namespace drover
