#include "runtime/sim/sim_world.hpp"

#include "runtime/sim/coordinator.hpp"
#include "runtime/wire/codec.hpp"

#include <utility>

namespace drover {
namespace {

/// How often time may pass although actors could run: races of timers and answers.
constexpr std::uint32_t time_passes_per_million = 5'000;
/// An actor that has a message does not wait longer than this for its turn.
constexpr nanoseconds turn_max = milliseconds{1};
/// What a real ring of three took to form anew after a member's death, in ms.
constexpr milliseconds ring_forms{8'100};

std::vector<node_id> names_of(const cluster_file& cluster) {
  std::vector<node_id> names;
  for (const auto& [name, node] : cluster.nodes)
    names.push_back(name);
  return names;
}

struct sim_config : caf::actor_system_config {
  explicit sim_config(const event_queue& world) {
    configure_actors(*this);
    configure_operator(*this);
    sim_coordinator::install(*this, world);
  }
};

} // namespace

struct sim_world::controller {
  explicit controller(const event_queue& world) : config(world), system(config) {
    system.await_actors_before_shutdown(false);
  }
  sim_config config;
  caf::actor_system system;
  std::optional<operator_handle> chief;
};

sim_world::sim_world(sim_world_settings settings, std::shared_ptr<trace_sink> trace)
  : settings_(std::move(settings)), trace_(std::move(trace)),
    order_(luck{settings_.seed}.fork("order")) {
  const luck chance{settings_.seed};
  store_ = std::make_unique<sim_store_cluster>(
    queue_, chance.fork("store"), settings_.store, names_of(settings_.cluster));
  settings_.machines.clocks = &clocks_;
  machines_ = std::make_unique<sim_machines>(queue_, chance.fork("machines"), settings_.machines);
  wires_ = std::make_unique<sim_wires>(queue_, chance.fork("wires"));
  for (const auto& [node, lag] : settings_.store_lag)
    store_->set_lag(node, lag);
  for (const auto& [node, latency] : settings_.link_latency)
    wires_->set_latency(node, latency);
  for (const auto& [node, clock] : settings_.clocks)
    clocks_.put(node, clock);
  for (const auto& [node, late] : settings_.news_late)
    machines_->hold_news(node, late);
  for (const auto& [node, of] : settings_.cluster.nodes)
    hosts_.emplace(
      node,
      std::make_unique<sim_host>(
        node, of.memory_bytes,
        sim_host_parts{
          queue_, clocks_, *store_, *machines_, std::uint64_t{of.bandwidth_mib_s} * 1024 * 1024}));
  machines_->on_change = [this](const machine_changed& e) {
    note(e);
    if (on_machine_change)
      on_machine_change(e);
  };
  if (settings_.detail == sim_detail::everything)
    watch_everything();
}

sim_world::~sim_world() { kill_controller(); }

delay_range sim_world::usual_lag(const node_id& node) const {
  const auto own = settings_.store_lag.find(node);
  return own == settings_.store_lag.end() ? settings_.store.lag : own->second;
}

void sim_world::note(decltype(trace_event::body) body) {
  trace_->take(trace_event{queue_.wall_now(), std::move(body)});
}

void sim_world::watch_everything() {
  store_->on_view_changed = [this](const view_changed& e) { note(e); };
  wires_->observe([this](const node_id& node, bool to_node, const std::string& line) {
    note_line(node, to_node, line);
  });
}

void sim_world::note_line(const node_id& node, bool to_node, const std::string& line) {
  message_carried e;
  e.node = node;
  if (to_node) {
    const auto asked = wire::decode_request(line);
    if (!asked || std::holds_alternative<wire::ping>(asked->body))
      return;
    e.what = "asked";
    e.method = wire::method_name(asked->body);
    methods_[asked->id.value] = e.method;
    return note(std::move(e));
  }
  const auto message = wire::decode_from_agent(line);
  if (!message)
    return;
  const auto* reply = std::get_if<wire::reply>(&*message);
  const auto known = reply ? methods_.find(reply->id.value) : methods_.end();
  if (known == methods_.end())
    return;
  e.what = reply->body ? "answered" : "refused";
  e.method = known->second;
  if (!reply->body)
    e.text = to_string(reply->body.error());
  methods_.erase(known);
  note(std::move(e));
}

tree_settings sim_world::tree_of(const std::string& name) {
  tree_settings tree;
  tree.controller = name;
  tree.id_prefix = name;
  tree.cluster_max = settings_.cluster.limits.cluster;
  tree.windows_max = settings_.cluster.limits.windows;
  tree.around = surroundings{trace_, [this] { return queue_.wall_now(); }};
  for (const auto& [node, of] : settings_.cluster.nodes) {
    auto way = wires_->link_to(node, [host = hosts_.at(node).get()](sim_peer_output output) {
      return host->start_agent(std::move(output));
    });
    tree.nodes[node] = {way, of.limits.prepare, of.limits.inbound, of.limits.streams};
  }
  return tree;
}

void sim_world::start_controller() {
  kill_controller();
  const auto name = "controller-" + std::to_string(++controllers_started_);
  controller_ = std::make_unique<controller>(queue_);
  auto settings = tree_of(name);
  auto tree = spawn_actor_tree(controller_->system, settings);
  controller_->chief = spawn_operator(
    controller_->system, {settings_.cluster, std::move(tree), settings.around, name});
}

void sim_world::kill_controller() {
  // The links keep their owners' handles: without them the actors go with their system.
  wires_->abandon_all();
  controller_.reset();
}

std::optional<operator_handle> sim_world::chief() const {
  return controller_ ? controller_->chief : std::nullopt;
}

void sim_world::kill_node(const node_id& node) {
  host(node).die();
  machines_->kill_node(node);
  wires_->silence(node);
  store_->hang(ring_forms);
}

void sim_world::boot_node(const node_id& node) {
  host(node).boot();
  clocks_.boot(node);
  wires_->heal(node);
  wires_->cut(node);
}

bool sim_world::step() {
  ++steps_;
  auto* actors = controller_ ? &sim_coordinator::of(controller_->system) : nullptr;
  const auto ready = actors ? actors->ready() : 0;
  const auto timer = actors ? actors->next_timer() : std::nullopt;
  const auto task = queue_.next();
  const auto soon = queue_.now() + turn_max;
  const bool is_near = (timer && *timer <= soon) || (task && *task <= soon);
  if (ready > 0 && !(is_near && order_.chance(time_passes_per_million))) {
    actors->step(order_.below(ready));
    return true;
  }
  if (timer && (!task || *timer <= *task)) {
    queue_.advance_to(*timer);
    // What was seen on the way may have given an action its cue, which comes first.
    if (const auto cue = queue_.next(); !cue || *timer <= *cue)
      actors->fire_timers();
    return true;
  }
  return queue_.step() || ready > 0;
}

} // namespace drover
