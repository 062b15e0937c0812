// One agent program from its first line to its last: takes the node's seat, hands requests to the
// agent, and leaves when the controller is gone and nothing is in flight. Rule: lines in, lines
// out; processes, files and pipes stand behind the ports, so the simulation runs this very class.
//
//   start --> seat taken ------------------------> serving --input ended--> alone --> on_end
//        \--> in line, lines are kept --seat-------^                          ^
//                     \--too long--> refused: every request is answered with who has the seat
//
// An input that is silent for long, while another agent is in line, has ended as well.
#pragma once

#include "runtime/agent/agent.hpp"
#include "runtime/base/timers.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// Port: the right to act on a node; one agent has it at a time.
class node_seat {
public:
  virtual ~node_seat() = default;
  /// False while another agent has it.
  virtual bool take() = 0;
  /// Says who acts, for the people who meet this seat taken.
  virtual void sign(std::string_view controller) = 0;
  /// "pid 123, controller host:456".
  virtual std::string holder() const = 0;
  /// Says that this agent waits, until it has the seat, leaves the line or is gone.
  virtual void wait_in_line() = 0;
  virtual void leave_line() = 0;
  /// True while another agent waits.
  virtual bool is_awaited() const = 0;
};

struct agent_desk_ports {
  timers& clock;
  node_seat& seat;
  /// Made when the seat is taken, or at once for one that only observes.
  std::function<std::unique_ptr<agent>(agent::sender)> make_agent;
  /// Without its newline.
  std::function<void(std::string line)> write;
  /// Called once, last; the desk must not be destroyed inside it.
  std::function<void()> on_end;
};

class agent_desk {
public:
  agent_desk(node_id node, agent_access access, agent_desk_ports ports);
  agent_desk(const agent_desk&) = delete;
  agent_desk& operator=(const agent_desk&) = delete;
  ~agent_desk();

  void start();
  void take_line(std::string line);
  /// What came cannot be cut into lines: it is answered, and the input has ended.
  void framing_broken(const error& why);
  /// The controller is gone, or nobody reads the answers.
  void input_ended();
  void store_operated(store_operation operation);

private:
  void take_seat(mono_time until);
  void serve();
  void be_alone();
  void look_behind();
  void look_for_silence();
  void leave();
  void answer(const request_id& id, result<wire::reply_body> body);
  void after(nanoseconds delay, void (agent_desk::*what)());

  node_id node_;
  agent_access access_;
  agent_desk_ports ports_;
  std::unique_ptr<agent> agent_;
  std::vector<std::string> early_; ///< lines that came before the seat was taken
  mono_time heard_at_;
  bool refused_ = false;
  bool ended_ = false;
  /// Timers cannot be cancelled: they look whether the desk still stands.
  std::shared_ptr<bool> stands_ = std::make_shared<bool>(true);
};

} // namespace drover
