// Driver of the link port in virtual time: what a node's end answers to travels in order, late by
// its luck, and may be cut or go silent. Rule: it promises exactly what link.hpp promises; another
// link's lines may overtake.
//
//   open --latency--> a peer is made at the node --> opened       no peer: closed
//   cut:       both ends are told; what is on its way is lost
//   half open: nothing arrives and nobody is told until it heals; then what is left arrives
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/event_queue.hpp"
#include "runtime/base/luck.hpp"
#include "runtime/link/link.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace drover {

/// The node's end of one connection: a program that reads lines and writes lines.
class sim_peer {
public:
  virtual ~sim_peer() = default;
  virtual void take_line(std::string line) = 0;
  /// The other end has closed, or the connection is lost.
  virtual void input_ended() = 0;
};

/// What the peer is given to answer by; may be called when the connection is gone.
struct sim_peer_output {
  std::function<void(std::string line)> write;
  /// The program has ended.
  std::function<void()> close;
};

/// Starts the node's program; null = nobody answers there.
using sim_peer_maker = std::function<std::shared_ptr<sim_peer>(sim_peer_output)>;

/// All links of a world, by node.
class sim_wires {
public:
  /// Sees every line when it arrives: at the node (`to_node`) or at the controller.
  using observer = std::function<void(const node_id& node, bool to_node, const std::string& line)>;

  sim_wires(event_queue& queue, luck chance);
  ~sim_wires();
  sim_wires(const sim_wires&) = delete;
  sim_wires& operator=(const sim_wires&) = delete;

  /// A closed link to the node whose connections are answered by what `make` makes.
  link_ptr link_to(const node_id& node, sim_peer_maker make);
  void observe(observer seen);

  void set_latency(const node_id& node, const delay_range& latency);
  delay_range latency(const node_id& node) const;
  /// Every connection to the node breaks now; new ones can be made.
  void cut(const node_id& node);
  /// The program that opened the links is gone: nobody is told, and the nodes learn it.
  void abandon_all();
  /// Until `heal`, new connections are refused.
  void refuse(const node_id& node);
  /// Until `heal`, new connections are not answered and nothing arrives; nobody is told.
  void silence(const node_id& node);
  void heal(const node_id& node);
  /// So many of a million lines arrive twice.
  void set_duplicates(const node_id& node, std::uint32_t per_million);

  struct parts;

private:
  std::shared_ptr<parts> parts_;
};

} // namespace drover
