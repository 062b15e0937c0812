#include "actors/nodes/session_commands.hpp"

namespace drover::session {

std::string_view to_string(phase p) {
  switch (p) {
  case phase::idle:
    return "idle";
  case phase::opening:
    return "opening";
  case phase::greeting:
    return "greeting";
  case phase::up:
    return "up";
  case phase::closing:
    return "closing";
  case phase::waiting:
    return "waiting";
  case phase::stopped:
    break;
  }
  return "stopped";
}

std::string_view to_string(drop d) {
  switch (d) {
  case drop::late_reply:
    return "late_reply";
  case drop::double_reply:
    return "double_reply";
  case drop::foreign_reply:
    return "foreign_reply";
  case drop::unreadable:
    return "unreadable";
  case drop::stray:
    break;
  }
  return "stray";
}

} // namespace drover::session
