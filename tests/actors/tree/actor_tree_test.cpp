// The actors together, on scripted links: wiring, permits, deaths. Waiting is bounded by receives.
#include "actors/actor_tree.hpp"
#include "actors/pulse_actor.hpp"
#include "tests/support/scripted_link.hpp"

#include <algorithm>
#include <atomic>
#include <caf/scoped_actor.hpp>
#include <catch2/catch.hpp>
#include <set>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 20s;

class collector final : public trace_sink {
public:
  void take(const trace_event& event) override {
    const std::lock_guard lock{mutex_};
    events_.push_back(event);
  }
  template <class E>
  std::vector<E> all() const {
    const std::lock_guard lock{mutex_};
    std::vector<E> found;
    for (const auto& e : events_)
      if (const auto* body = std::get_if<E>(&e.body))
        found.push_back(*body);
    return found;
  }

private:
  mutable std::mutex mutex_;
  std::vector<trace_event> events_;
};

struct config : caf::actor_system_config {
  config() { configure_actors(*this); }
};

/// Nodes n1 (source) and n2, n3 (targets) with scripts that may be replaced before use.
struct rig {
  explicit rig(scripted_link::script source_script = {}, scripted_link::script target_script = {}) {
    tree_settings s;
    s.controller = "test";
    s.id_prefix = "t";
    s.around = {trace, [] { return wall_time{}; }};
    for (const auto* name : {"n1", "n2", "n3"}) {
      const node_id node{name};
      const auto& given = node.value == "n1" ? source_script : target_script;
      auto script = given ? given : [node](const wire::request& r) {
        return std::optional{good_answer(r, node)};
      };
      links[node] = std::make_shared<scripted_link>(node, script);
      s.nodes[node] = {links[node], 4, 4, 2};
    }
    tree = spawn_actor_tree(system, s);
  }

  ~rig() {
    for (auto& [node, owner] : tree.owners)
      self->send(owner, leave_node{});
  }

  evacuation_order order(std::uint32_t count) const {
    evacuation_order o;
    o.cordon = node_id{"n1"};
    for (std::uint32_t i = 0; i < count; ++i)
      o.migrations.push_back(
        {vm_id{100 + i}, node_id{"n1"}, node_id{i % 2 == 0 ? "n2" : "n3"}, policy::ticket, "test",
         1 << 21, 3});
    return o;
  }

  evacuation_handle job() {
    return spawn_evacuation(system, {tree.locks, tree.owners}, {trace, [] { return wall_time{}; }});
  }

  evacuation_report run(evacuation_order o) { return wait(ask(job(), std::move(o))); }

  auto ask(const evacuation_handle& who, evacuation_order o)
    -> decltype(std::declval<caf::scoped_actor&>()->request(who, 60s, run_evacuation{})) {
    return self->request(who, patience, run_evacuation{std::move(o)});
  }

  template <class Answer>
  evacuation_report wait(Answer answer) {
    evacuation_report report;
    answer.receive(
      [&](evacuation_report& r) { report = std::move(r); },
      [&](const caf::error& e) { FAIL("no report: " << system.render(e)); });
    return report;
  }

  lock_usage usage() {
    lock_usage u;
    self->request(tree.locks, patience, ask_lock_usage{})
      .receive(
        [&](lock_usage& answer) { u = std::move(answer); },
        [&](const caf::error& e) { FAIL("no usage: " << system.render(e)); });
    return u;
  }

  std::shared_ptr<collector> trace = std::make_shared<collector>();
  std::map<node_id, std::shared_ptr<scripted_link>> links;
  config settings;
  caf::actor_system system{settings};
  caf::scoped_actor self{system};
  actor_tree tree;
};

std::uint32_t count(const evacuation_report& r, verdict v) {
  return static_cast<std::uint32_t>(std::count_if(
    r.migrations.begin(), r.migrations.end(), [v](const auto& m) { return m.end == v; }));
}

} // namespace

TEST_CASE("an evacuation moves every VM and gives every permit back", "[actors]") {
  rig r;
  const auto report = r.run(r.order(30));
  CHECK_FALSE(report.objection);
  CHECK(report.migrations.size() == 30);
  CHECK(count(report, verdict::moved) == 30);
  const auto usage = r.usage();
  CHECK(usage.leases == 0);
  CHECK(usage.waiting == 0);
  const auto methods = r.links[node_id{"n1"}]->methods();
  CHECK(methods.front() == "hello");
  CHECK(std::count(methods.begin(), methods.end(), "cordon") == 1);
  CHECK(std::count(methods.begin(), methods.end(), "uncordon") == 1);
  CHECK(std::count(methods.begin(), methods.end(), "begin_handover") == 30);
  CHECK(r.trace->all<migration_ended>().size() == 30);
}

TEST_CASE("a link that is lost is opened again and nothing is asked of another VM", "[actors]") {
  std::atomic<int> streams{0};
  std::function<void()> cut;
  rig r{[&](const wire::request& asked) -> std::optional<result<wire::reply_body>> {
    if (std::holds_alternative<wire::stream>(asked.body) && ++streams == 3) {
      cut();
      return std::nullopt;
    }
    return good_answer(asked, node_id{"n1"});
  }};
  cut = [&r] { r.links[node_id{"n1"}]->cut("pulled"); };
  const auto report = r.run(r.order(10));
  CHECK(count(report, verdict::moved) == 10);
  CHECK_FALSE(r.trace->all<retried>().empty());
  CHECK(r.usage().leases == 0);
}

TEST_CASE("one VM that is refused stops no other", "[actors]") {
  rig r{[](const wire::request& asked) -> std::optional<result<wire::reply_body>> {
    if (const auto* b = std::get_if<wire::begin_handover>(&asked.body); b && b->vm == vm_id{103})
      return fail(errc::refused, "locked: backup");
    return good_answer(asked, node_id{"n1"});
  }};
  const auto report = r.run(r.order(8));
  CHECK(count(report, verdict::moved) == 7);
  CHECK(report.migrations[3].end == verdict::stayed);
  CHECK(report.migrations[3].reason.find("backup") != std::string::npos);
}

TEST_CASE("a cordon that is refused starts nothing", "[actors]") {
  rig r{[](const wire::request& asked) -> std::optional<result<wire::reply_body>> {
    if (std::holds_alternative<wire::cordon>(asked.body))
      return fail(errc::conflict, "cordoned by another");
    return good_answer(asked, node_id{"n1"});
  }};
  const auto report = r.run(r.order(5));
  REQUIRE(report.objection);
  CHECK(report.objection->what == "cordoned by another");
  CHECK(report.migrations.empty());
  const auto methods = r.links[node_id{"n1"}]->methods();
  CHECK(std::count(methods.begin(), methods.end(), "begin_handover") == 0);
}

TEST_CASE("a cancelled evacuation ends with every VM moved or stayed", "[actors]") {
  std::function<void()> cancel;
  std::atomic<int> begun{0};
  rig r{[&](const wire::request& asked) -> std::optional<result<wire::reply_body>> {
    if (std::holds_alternative<wire::begin_handover>(asked.body) && ++begun == 6)
      cancel();
    return good_answer(asked, node_id{"n1"});
  }};
  const auto job = r.job();
  cancel = [&job] { caf::anon_send(job, cancel_evacuation{"enough"}); };
  const auto report = r.wait(r.ask(job, r.order(30)));
  CHECK(report.cancelled);
  CHECK(count(report, verdict::moved) + count(report, verdict::stayed) == 30);
  CHECK(count(report, verdict::stayed) > 0);
  for (const auto& m : report.migrations)
    if (m.end == verdict::stayed)
      CHECK(m.reason == "enough");
  CHECK(r.usage().leases == 0);
  CHECK(r.usage().waiting == 0);
}

TEST_CASE("a call to a node that never answers ends at its deadline", "[actors]") {
  rig r{[](const wire::request&) { return std::nullopt; }};
  bool answered = false;
  r.self->request(r.tree.owners.at(node_id{"n1"}), patience, node_call{wire::list_vms{}, 100ms})
    .receive(
      [&](const node_answer& a) {
        answered = true;
        REQUIRE_FALSE(a.body);
        CHECK(a.body.error().code == errc::timeout);
      },
      [](const caf::error&) { FAIL("the owner did not answer"); });
  CHECK(answered);
}

TEST_CASE("a job tells every VM it is about to move before the first one begins", "[actors]") {
  rig r;
  r.run(r.order(3));
  const auto planned = r.trace->all<migration_planned>();
  REQUIRE(planned.size() == 3);
  CHECK(planned[1].vm == vm_id{101});
  CHECK(planned[1].source == node_id{"n1"});
  CHECK(planned[1].target == node_id{"n3"});
  CHECK(planned[1].memory_bytes == 1 << 21);
  for (const auto& e : r.trace->all<migration_ended>())
    CHECK(e.budget_s.has_value());
}

TEST_CASE("every answer of a node is told with its method, outcome and time", "[actors]") {
  rig r{[](const wire::request& asked) -> std::optional<result<wire::reply_body>> {
    if (std::holds_alternative<wire::list_vms>(asked.body))
      return fail(errc::conflict, "somebody else");
    return good_answer(asked, node_id{"n1"});
  }};
  r.self->request(r.tree.owners.at(node_id{"n1"}), patience, node_call{wire::list_vms{}, 5s})
    .receive([](const node_answer&) {}, [](const caf::error&) { FAIL("no answer"); });
  // The answer is told right after it was delivered; the next one comes behind it.
  r.self->request(r.tree.owners.at(node_id{"n1"}), patience, node_call{wire::uncordon{}, 5s})
    .receive([](const node_answer&) {}, [](const caf::error&) { FAIL("no answer"); });
  const auto answered = r.trace->all<node_answered>();
  REQUIRE_FALSE(answered.empty());
  CHECK(answered[0].node == node_id{"n1"});
  CHECK(answered[0].method == "list_vms");
  CHECK(answered[0].outcome == "conflict");
  CHECK(answered[0].took_us < 5'000'000);
}

TEST_CASE("the pulse tells each kind of permit and how long the lock manager took", "[actors]") {
  rig r;
  const auto pulse =
    spawn_pulse(r.system, r.tree.locks, {r.trace, [] { return wall_time{}; }}, 20ms);
  r.run(r.order(4));
  const auto seen = [&r] { return r.trace->all<actors_sampled>().size(); };
  // Questions to the lock manager pass the time between two beats.
  for (int i = 0; i < 1'000'000 && seen() < 3; ++i)
    r.usage();
  REQUIRE(seen() >= 3);
  const auto before = seen();
  r.self->monitor(pulse);
  r.self->send(pulse, end_pulse{});
  r.self->receive(
    [](const caf::down_msg&) {}, caf::after(patience) >> [] { FAIL("the pulse did not end"); });
  CHECK(seen() > before); // What is seen last stays on show.
  CHECK(r.trace->all<actors_sampled>()[0].actor == "lock_manager");
  std::set<std::string> scopes;
  for (const auto& p : r.trace->all<permits_counted>()) {
    scopes.insert(p.scope);
    CHECK(p.limit > 0);
    CHECK(p.used <= p.limit);
    CHECK(p.node.value.empty() == (p.scope == "cluster" || p.scope == "window"));
  }
  CHECK(scopes == std::set<std::string>{"cluster", "inbound", "outbound", "stream", "window"});
}

TEST_CASE("a link that the program itself leaves is told as left, not as down", "[actors]") {
  rig r;
  r.self->request(r.tree.owners.at(node_id{"n1"}), patience, node_call{wire::uncordon{}, 5s})
    .receive([](const node_answer&) {}, [](const caf::error&) { FAIL("no answer"); });
  r.self->monitor(r.tree.owners.at(node_id{"n1"}));
  r.self->send(r.tree.owners.at(node_id{"n1"}), leave_node{});
  r.self->receive(
    [](const caf::down_msg&) {}, caf::after(patience) >> [] { FAIL("the owner did not end"); });
  r.tree.owners.erase(node_id{"n1"});
  std::vector<std::string> states;
  for (const auto& e : r.trace->all<link_changed>())
    if (e.node == node_id{"n1"})
      states.push_back(e.state);
  CHECK(states == std::vector<std::string>{"up", "left"});
}
