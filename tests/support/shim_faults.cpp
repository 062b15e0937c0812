#include "tests/support/shim_faults.hpp"

#include <cerrno>
#include <map>
#include <sstream>
#include <utility>

namespace drover::testing {
namespace {

using std::chrono::milliseconds;

/// Longer than any test hangs a store, shorter than anybody waits for a test.
constexpr milliseconds longest_hang{60'000};

/// 0 for a word that is none.
int errno_of(const std::string& word) {
  static const std::map<std::string, int> known{
    {"EACCES", EACCES}, {"EBUSY", EBUSY}, {"ECONNABORTED", ECONNABORTED}, {"EIO", EIO},
    {"ENOSPC", ENOSPC}, {"EPERM", EPERM}, {"ENOTCONN", ENOTCONN},         {"EROFS", EROFS},
  };
  const auto found = known.find(word);
  return found == known.end() ? 0 : found->second;
}

} // namespace

std::string shim_faults::obey(const std::string& line) {
  const std::lock_guard lock(mutex_);
  auto answer = obey_locked(line);
  changed_.notify_all();
  return answer;
}

std::string shim_faults::obey_locked(const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  std::string first;
  std::string second;
  words >> verb >> first;
  if (verb == "when" && first == "move") {
    std::getline(words >> std::ws, on_move_);
    return "ok";
  }
  words >> second;
  if (verb == "status")
    return status();
  if (verb == "clear")
    clear();
  else if (verb == "remember")
    on_remember();
  else if (verb == "rollback")
    on_rollback();
  else if (verb == "refuse" && errno_of(first) != 0)
    refusal_ = errno_of(first), refused_node_ = second;
  else if (verb == "lie" && errno_of(first) != 0)
    lie_ = errno_of(first);
  else if (verb == "hang" && (first == "writes" || first == "all"))
    hanging_ = first == "all" ? hanging::everything : hanging::writes, hang_end_ = errno_of(second);
  else if (verb == "delay")
    delay_ = milliseconds{std::stol(first)};
  else if (verb == "stale")
    stale_ = milliseconds{std::stol(first)};
  else
    return "unknown: " + line;
  return "ok";
}

std::string shim_faults::status() const {
  std::ostringstream out;
  out << "writes " << writes_ << " refused " << refused_ << " hanging " << waiting_ << " moves "
      << moves_;
  return out.str();
}

void shim_faults::clear() {
  refusal_ = hang_end_ = lie_ = 0;
  hanging_ = hanging::nothing;
  delay_ = stale_ = milliseconds{0};
  on_move_.clear();
  ++generation_;
}

bool shim_faults::hangs(const shim_call& call) const {
  return hanging_ == hanging::everything ||
         (hanging_ == hanging::writes && call.kind == shim_call::access::write);
}

int shim_faults::before(const shim_call& call) {
  std::unique_lock lock(mutex_);
  const bool writes = call.kind == shim_call::access::write;
  writes_ += writes ? 1 : 0;
  if (call.is_move && !on_move_.empty())
    obey_locked(std::exchange(on_move_, {}));
  const auto generation = generation_;
  const auto cleared = [&] { return generation != generation_; };
  if (writes && delay_ > milliseconds{0})
    changed_.wait_for(lock, delay_, cleared);
  if (hangs(call)) {
    const auto end = hang_end_;
    ++waiting_;
    changed_.wait_for(lock, longest_hang, cleared);
    --waiting_;
    return end;
  }
  const bool concerned = refused_node_.empty() || refused_node_ == call.node;
  if (!writes || refusal_ == 0 || !concerned)
    return 0;
  ++refused_;
  return refusal_;
}

int shim_faults::after(const shim_call& call, int outcome) {
  const std::lock_guard lock(mutex_);
  if (call.is_move && outcome == 0)
    ++moves_;
  const bool lies = call.kind == shim_call::access::write && outcome == 0 && lie_ != 0;
  return lies ? lie_ : outcome;
}

std::chrono::milliseconds shim_faults::stale() const {
  const std::lock_guard lock(mutex_);
  return stale_;
}

} // namespace drover::testing
