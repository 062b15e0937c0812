#include "runtime/link/ssh/login_gate.hpp"

namespace drover::ssh {

bool login_gate::has_room(const std::string& host) const {
  const auto there = per_host_.find(host);
  return inside_.size() < pacing_.logins_max &&
         (there == per_host_.end() || there->second < pacing_.logins_per_host_max);
}

void login_gate::enter(ticket number, const std::string& host) {
  inside_.emplace(number, host);
  ++per_host_[host];
}

login_gate::asked login_gate::ask(const std::string& host) {
  const ticket number = next_++;
  const bool is_in = has_room(host);
  if (is_in)
    enter(number, host);
  else
    waiting_.push_back({number, host});
  return {number, is_in};
}

std::vector<login_gate::ticket> login_gate::leave(ticket number) {
  waiting_.remove_if([number](const auto& w) { return w.number == number; });
  if (const auto left = inside_.find(number); left != inside_.end()) {
    const auto host = per_host_.find(left->second);
    if (--host->second == 0)
      per_host_.erase(host);
    inside_.erase(left);
  }
  std::vector<ticket> let_in;
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    if (!has_room(next->host)) {
      ++next;
      continue;
    }
    enter(next->number, next->host);
    let_in.push_back(next->number);
    next = waiting_.erase(next);
  }
  return let_in;
}

} // namespace drover::ssh
