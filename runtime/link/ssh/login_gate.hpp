// How many logins may be under way at once, in the process and at one host. Rule: pure; who asks
// is let in at once or waits in order; one host that is full holds up nobody else.
#pragma once

#include "runtime/link/ssh/ssh_settings.hpp"

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

namespace drover::ssh {

class login_gate {
public:
  using ticket = std::uint64_t;

  explicit login_gate(ssh_pacing pacing) : pacing_(pacing) {}

  struct asked {
    ticket number;
    bool is_in; ///< else `leave` of another one lets it in
  };
  [[nodiscard]] asked ask(const std::string& host);
  /// Of one that is in or waits; who is let in by that, in order. A foreign number changes nothing.
  [[nodiscard]] std::vector<ticket> leave(ticket number);

  std::size_t inside() const { return inside_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

private:
  struct waiter {
    ticket number;
    std::string host;
  };
  bool has_room(const std::string& host) const;
  void enter(ticket number, const std::string& host);

  ssh_pacing pacing_;
  ticket next_ = 1;
  std::map<ticket, std::string> inside_;
  std::map<std::string, std::size_t> per_host_;
  std::list<waiter> waiting_;
};

} // namespace drover::ssh
