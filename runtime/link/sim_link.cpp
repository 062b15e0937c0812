#include "runtime/link/sim_link.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>
#include <vector>

namespace drover {
namespace {

/// Unread lines beyond this close the link, as they do for a child's pipe.
constexpr std::size_t unread_bytes_max = 64U * 1024 * 1024;
/// How long an end waits for a silent other end before it takes the connection for lost.
constexpr nanoseconds keepalive = std::chrono::seconds{15};
/// How long `close` waits for the node's last words.
constexpr nanoseconds close_patience = std::chrono::seconds{2};

struct connection;

struct node_wire {
  delay_range latency{std::chrono::microseconds{100}, std::chrono::microseconds{400}, 0, {}};
  bool silent = false;
  bool refusing = false;
  std::uint32_t duplicates_per_million = 0;
  std::vector<std::weak_ptr<connection>> connections;
};

} // namespace

struct sim_wires::parts : std::enable_shared_from_this<sim_wires::parts> {
  parts(event_queue& q, luck l) : queue(q), chance(l) {}
  event_queue& queue;
  luck chance;
  observer seen;
  std::map<node_id, node_wire> nodes;
};

namespace {

/// One direction of a connection: lines in order, each with the time at which it arrives.
struct lane {
  struct item {
    std::string line;
    bool last = false; ///< the sender has closed
  };
  std::deque<item> items;
  std::size_t bytes = 0;
  mono_time arrives;
  bool armed = false;
};

/// From one `open` to its `closed`.
struct connection : std::enable_shared_from_this<connection> {
  connection(std::shared_ptr<sim_wires::parts> w, node_id n, link_events e)
    : wires(std::move(w)), node(std::move(n)), events(std::move(e)) {}

  node_wire& wire() { return wires->nodes[node]; }

  void push(lane& way, bool to_node, lane::item item) {
    if (over)
      return;
    way.bytes += item.line.size();
    const bool twice = !item.last && wires->chance.chance(wire().duplicates_per_million);
    if (twice)
      way.items.push_back(item);
    way.items.push_back(std::move(item));
    if (way.bytes > unread_bytes_max)
      return break_off({errc::lost, "the node does not read what it is sent", {}});
    arm(way, to_node);
  }

  void arm(lane& way, bool to_node) {
    if (way.armed || way.items.empty() || wire().silent)
      return;
    way.armed = true;
    // Lines that were sent together travel together; none overtakes another.
    way.arrives = std::max(way.arrives, wires->queue.now() + wire().latency.draw(wires->chance));
    wires->queue.after(way.arrives - wires->queue.now(), [self = shared_from_this(), to_node] {
      auto& lane_now = to_node ? self->inbound : self->outbound;
      lane_now.armed = false;
      if (!self->over && !self->wire().silent)
        self->arrive(lane_now, to_node);
    });
  }

  /// Everything that was sent until now arrives: a reader gets what its buffer holds.
  void arrive(lane& way, bool to_node) {
    auto items = std::exchange(way.items, {});
    way.bytes = 0;
    for (auto& item : items) {
      if (over)
        return;
      if (item.last)
        return to_node ? end_peer() : finish({errc::lost, "the agent has ended", {}});
      if (wires->seen)
        wires->seen(node, to_node, item.line);
      if (!to_node)
        deliver(std::move(item.line));
      else if (peer)
        peer->take_line(std::move(item.line));
    }
  }

  /// As a real link does it: a peer that breaks the rules of lines costs the link.
  void deliver(std::string line) {
    if (line.size() > line_bytes_max || line.find('\0') != std::string::npos)
      return finish({errc::invalid, "the agent sent what is not a line", node.value});
    if (line.ends_with('\r'))
      line.pop_back();
    events.line(std::move(line));
  }

  void end_peer() {
    if (auto ended = std::exchange(peer, nullptr))
      ended->input_ended();
  }

  void finish(error why) {
    if (std::exchange(over, true))
      return;
    // The node learns it by itself: soon, or by its keepalive when the wire is silent.
    const auto learns = wire().silent ? keepalive : wire().latency.draw(wires->chance);
    wires->queue.after(learns, [self = shared_from_this()] { self->end_peer(); });
    if (events.closed)
      events.closed(std::move(why));
  }

  /// Who opened it is gone.
  void abandon() {
    const auto told = std::exchange(events, {});
    finish({errc::lost, "the controller is gone", {}});
  }

  /// Both ends learn it, each on its own, never inside this call.
  void break_off(error why) {
    wires->queue.after(nanoseconds{0}, [self = shared_from_this(), why] { self->finish(why); });
  }

  std::shared_ptr<sim_wires::parts> wires;
  node_id node;
  link_events events;
  std::shared_ptr<sim_peer> peer;
  lane inbound;
  lane outbound;
  bool over = false;
};

class sim_link final : public link {
public:
  sim_link(std::shared_ptr<sim_wires::parts> wires, node_id node, sim_peer_maker make)
    : wires_(std::move(wires)), node_(std::move(node)), make_(std::move(make)) {}
  ~sim_link() override {
    // The program is gone, and with it who would be told.
    if (way_ && !way_->over)
      way_->abandon();
  }

  void open(link_events events) override {
    way_ = std::make_shared<connection>(wires_, node_, std::move(events));
    auto& wire = way_->wire();
    std::erase_if(wire.connections, [](const auto& c) { return c.expired(); });
    wire.connections.push_back(way_);
    wires_->queue.after(wire.latency.draw(wires_->chance), [this_way = way_, make = make_] {
      connect(this_way, make);
    });
  }

  void send(std::string line) override {
    if (way_)
      way_->push(way_->inbound, true, {std::move(line), false});
  }

  /// The node's program reads to the end, answers what it was asked and closes.
  void close() override {
    if (way_ && !way_->over)
      hang_up(way_);
  }

private:
  static void hang_up(const std::shared_ptr<connection>& way) {
    way->push(way->inbound, true, {{}, true});
    way->wires->queue.after(close_patience, [way] {
      way->finish({errc::lost, "the node did not close in time", {}});
    });
  }

  static void connect(const std::shared_ptr<connection>& way, const sim_peer_maker& make) {
    if (way->over || way->wire().silent)
      return; // Nobody answers, and nobody is told.
    if (way->wire().refusing)
      return way->finish({errc::lost, "the connection to " + way->node.value + " is refused", {}});
    const std::weak_ptr<connection> weak = way;
    way->peer = make({
      [weak](std::string line) {
        if (auto c = weak.lock())
          c->push(c->outbound, false, {std::move(line), false});
      },
      [weak] {
        if (auto c = weak.lock())
          c->push(c->outbound, false, {{}, true});
      },
    });
    if (!way->peer)
      return way->finish({errc::lost, "nobody answers at " + way->node.value, {}});
    way->events.opened();
    way->arm(way->inbound, true);
  }

  std::shared_ptr<sim_wires::parts> wires_;
  node_id node_;
  sim_peer_maker make_;
  std::shared_ptr<connection> way_;
};

} // namespace

sim_wires::sim_wires(event_queue& queue, luck chance)
  : parts_(std::make_shared<parts>(queue, chance)) {}
sim_wires::~sim_wires() = default;

link_ptr sim_wires::link_to(const node_id& node, sim_peer_maker make) {
  return std::make_shared<sim_link>(parts_, node, std::move(make));
}

void sim_wires::observe(observer seen) { parts_->seen = std::move(seen); }

void sim_wires::set_latency(const node_id& node, const delay_range& latency) {
  parts_->nodes[node].latency = latency;
}

delay_range sim_wires::latency(const node_id& node) const { return parts_->nodes[node].latency; }

void sim_wires::cut(const node_id& node) {
  for (const auto& weak : parts_->nodes[node].connections)
    if (auto c = weak.lock())
      c->break_off({errc::lost, "the connection to " + node.value + " was cut", {}});
}

void sim_wires::abandon_all() {
  for (auto& [node, wire] : parts_->nodes)
    for (const auto& weak : std::exchange(wire.connections, {}))
      if (auto c = weak.lock())
        c->abandon();
}

void sim_wires::refuse(const node_id& node) { parts_->nodes[node].refusing = true; }

void sim_wires::silence(const node_id& node) { parts_->nodes[node].silent = true; }

void sim_wires::heal(const node_id& node) {
  auto& wire = parts_->nodes[node];
  wire.silent = false;
  wire.refusing = false;
  for (const auto& weak : wire.connections)
    if (auto c = weak.lock(); c && !c->over) {
      c->arm(c->inbound, true);
      c->arm(c->outbound, false);
    }
}

void sim_wires::set_duplicates(const node_id& node, std::uint32_t per_million) {
  parts_->nodes[node].duplicates_per_million = per_million;
}

} // namespace drover
