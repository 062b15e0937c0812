#include "actors/handover/migration_actor.hpp"

#include "actors/actor_time.hpp"

#include <array>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// A permit may be waited for as long as an evacuation lasts; giving up is the machine's decision.
constexpr std::chrono::minutes permit_wait_max{7 * 24 * 60};
/// The node_owner answers at the call's deadline; this much later it must be dead.
constexpr auto answer_grace = 5s;
/// How long a migration waits for the journal before it begins without.
constexpr auto journal_wait_max = 10s;

class migration {
public:
  using handle = migration_handle;
  static constexpr const char* name = "migration";

  migration(handle::pointer self, migration_order order, migration_peers peers, surroundings around)
    : self_(self), machine_(std::move(order)), peers_(std::move(peers)),
      around_(std::move(around)) {}

  handle::behavior_type make_behavior() {
    return {
      [this](begin_migration) {
        self_->send(peers_.source, follow_vm{machine_.order().vm, handle{self_}});
        feed(handover::begin{});
      },
      [this](cancel_migration& m) { feed(handover::cancel_asked{std::move(m.reason)}); },
      [this](const stream_report& m) { feed(handover::progressed{m.figures}); },
      [this](migration_timer m) { feed(handover::timer_fired{m.generation}); },
      [this](migration_written) { feed(handover::written_ahead{}); },
    };
  }

private:
  void feed(const handover::event& e) {
    for (auto& command : machine_.handle(e, actor_now(*self_)))
      std::visit([this](auto& c) { carry_out(c); }, command);
  }

  void carry_out(handover::take_permits& c) {
    auto& lease = leases_.at(static_cast<std::size_t>(c.set));
    lease = ++lease_number_;
    const auto set = c.set;
    self_->request(peers_.locks, permit_wait_max, acquire{lease, priority_of(set), wanted(set)})
      .then(
        [this, set](const acquired& a) {
          if (!a.objection)
            feed(handover::permits_granted{set, a.waited_s});
          else if (leases_.at(static_cast<std::size_t>(set)) == a.number)
            feed(handover::cancel_asked{"its permits cannot be had: " + to_string(*a.objection)});
        },
        [this](const caf::error&) {
          feed(handover::cancel_asked{"the lock manager does not answer"});
        });
  }

  void carry_out(handover::give_back& c) {
    auto& lease = leases_.at(static_cast<std::size_t>(c.set));
    if (lease != 0)
      self_->send(peers_.locks, release{lease});
    lease = 0;
  }

  void carry_out(handover::send& c) {
    const auto what = c.what;
    const auto attempt = c.attempt;
    const auto& owner = c.to == side::source ? peers_.source : peers_.target;
    self_->request(owner, c.deadline + answer_grace, node_call{std::move(c.body), c.deadline})
      .then(
        [this, what, attempt](node_answer& a) {
          feed(handover::answered{what, std::move(a.body), attempt, std::move(a.clock), a.link});
        },
        [this, what, attempt](const caf::error&) {
          feed(handover::answered{
            what, fail(errc::lost, "the node's owner does not answer"), attempt});
        });
  }

  void carry_out(handover::wait& c) {
    self_->delayed_send(handle{self_}, c.delay, migration_timer{c.generation});
  }

  void carry_out(handover::write_ahead&) {
    if (!around_.write_ahead)
      return feed(handover::written_ahead{});
    handle me{self_};
    around_.write_ahead(machine_.order().vm, [me] { caf::anon_send(me, migration_written{}); });
    // The journal is a help and never the truth: a disk that hangs must not keep a node full.
    self_->delayed_send(me, journal_wait_max, migration_written{});
  }

  void carry_out(handover::note& c) { around_.note(std::move(c.body)); }

  void carry_out(handover::finish& c) {
    self_->send(peers_.source, unfollow_vm{machine_.order().vm});
    self_->send(peers_.job, migration_finished{std::move(c.result)});
    self_->quit();
  }

  static lock_priority priority_of(permit_set set) {
    return set == permit_set::stream ? lock_priority::stream : lock_priority::prepare;
  }

  lock_set wanted(permit_set set) const {
    const auto& o = machine_.order();
    if (set == permit_set::stream)
      return {{stream_permit(o.source), 1}, {stream_permit(o.target), 1}, {window_permit(), 1}};
    return {
      {vm_lock(o.vm), 1},
      {cluster_permit(), 1},
      {outbound_permit(o.source), 1},
      {inbound_permit(o.target), 1}};
  }

  handle::pointer self_;
  handover machine_;
  migration_peers peers_;
  surroundings around_;
  std::array<std::uint64_t, 2> leases_{}; ///< by permit_set; 0 = not asked for
  std::uint64_t lease_number_ = 0;
};

} // namespace

migration_handle spawn_migration(
  caf::actor_system& system, migration_order order, migration_peers peers, surroundings around) {
  return spawn_state<migration>(system, std::move(order), std::move(peers), std::move(around));
}

} // namespace drover
