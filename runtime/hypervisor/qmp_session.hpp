// One QMP connection as a pure machine: bytes in -> replies and events, commands in -> bytes. Rule:
// no sockets, no clocks; whatever QEMU sends is either understood or an error `invalid`.
//
//   QEMU: {"QMP": ...} greeting -> we: qmp_capabilities, and right behind it what was sent so far
//
// Commands wait here until the greeting: a socket whose greeting does not come is held by another
// client, and QEMU would carry out what lies in it much later, when nobody expects it any more.
// They bear no ids on the wire: QEMU answers them in their order (qmp-spec.txt, 2.3; drover sends
// none out of band), and reads what it is sent byte by byte, at some 4 us each.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace drover {

/// Commands are accepted from now on.
struct qmp_ready {
  std::string version; ///< "7.2.22"
};

struct qmp_reply {
  std::uint64_t id = 0;
  /// QEMU's `return`, or `refused` with QEMU's own text.
  result<nlohmann::json> body;
};

struct qmp_event {
  std::string name;
  nlohmann::json data;
  wall_time at; ///< of QEMU's host
};

using qmp_item = std::variant<qmp_ready, qmp_reply, qmp_event>;

class qmp_session {
public:
  /// A longer line is no QMP: the longest known answer (query-qmp-schema) has 210 KB.
  static constexpr std::size_t line_bytes_max = 4U << 20U;

  /// Appends a command to the output, or holds it until the greeting. Returns the id that its reply
  /// will be told by.
  std::uint64_t send(std::string_view command, const nlohmann::json& arguments = nullptr);
  /// The command was not given to QEMU yet and never will be; false when it was.
  bool withdraw(std::uint64_t id);
  bool is_held(std::uint64_t id) const;
  bool is_ready() const { return phase_ == phase::ready; }

  /// The bytes of the next command to write, one command each, so that a descriptor can travel with
  /// it; nullopt when there is none.
  struct outgoing {
    std::uint64_t id = 0;
    std::string bytes;
  };
  std::optional<outgoing> next_output();

  /// Takes in what was read. After an error the session is of no use any more.
  result<std::vector<qmp_item>> receive(std::string_view bytes);

private:
  enum class phase : std::uint8_t {
    greeting, ///< nothing was read yet
    negotiating,
    ready,
    broken,
  };

  result<void> take_line(std::string_view line, std::vector<qmp_item>& items);
  result<void> take_greeting(const nlohmann::json& message);
  result<void> take_reply(const nlohmann::json& message, std::vector<qmp_item>& items);
  tl::unexpected<error> broken(std::string what, std::string_view line);

  phase phase_ = phase::greeting;
  std::string version_;
  std::string buffer_;
  std::uint64_t last_id_ = 0;
  std::deque<outgoing> output_;          ///< written from the greeting on
  std::deque<std::uint64_t> unanswered_; ///< was given out, in this order
};

} // namespace drover
