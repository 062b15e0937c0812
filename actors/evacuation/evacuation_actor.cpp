#include "actors/evacuation/evacuation_actor.hpp"

#include "actors/actor_time.hpp"
#include "actors/evacuation/node_lease.hpp"
#include "actors/handover/migration_actor.hpp"

#include <utility>

namespace drover {
namespace {

using namespace std::chrono_literals;

constexpr auto cordon_deadline = 30s;
/// Between two looks at the lease lie at most this and the pause between them: a lock that is not
/// confirmed is known to be lost before it can expire.
constexpr auto renewal_deadline = 10s;
constexpr auto answer_grace = 5s;

class evacuation {
public:
  using handle = evacuation_handle;
  static constexpr const char* name = "evacuation";

  evacuation(handle::pointer self, evacuation_peers peers, surroundings around)
    : self_(self), peers_(std::move(peers)), around_(std::move(around)) {}

  handle::behavior_type make_behavior() {
    self_->set_down_handler([this](const caf::down_msg& m) { migration_died(m.source); });
    return {
      [this](run_evacuation& m) -> caf::result<evacuation_report> {
        answer_ = self_->make_response_promise<evacuation_report>();
        order_ = std::move(m.order);
        begun_at_ = actor_now(*self_);
        order_.cordon ? cordon_then_start() : start();
        return answer_;
      },
      [this](const cancel_evacuation& m) { cancel(m.reason); },
      [this](renew_node_lock) { renew_lock(); },
      [this](migration_finished& m) { finished(std::move(m.result)); },
    };
  }

private:
  /// Where one migration stands, as the job sees it.
  struct entry {
    migration_handle who;
    std::optional<migration_result> result;
  };

  void cordon_then_start() {
    const auto asked = actor_now(*self_);
    call(lock_request(), cordon_deadline, [this, asked](const result<wire::reply_body>& body) {
      if (body) {
        lease_.emplace(asked);
        self_->delayed_send(handle{self_}, lease_->next_look(asked), renew_node_lock{});
        return start();
      }
      report_.objection = body.error();
      deliver();
    });
  }

  wire::cordon lock_request() const { return wire::cordon{order_.lock_reason}; }

  /// The agent renews the lock by itself; asking for it again proves that it is still held.
  void renew_lock() {
    if (ending_)
      return; // It is being given back.
    const auto asked = actor_now(*self_);
    call(lock_request(), renewal_deadline, [this, asked](const result<wire::reply_body>& body) {
      if (ending_)
        return;
      if (body)
        lease_->renewed(asked);
      else if (body.error().code == errc::conflict)
        lease_->taken_by(body.error().what);
      look_at_lease();
      const auto now = actor_now(*self_);
      if (lease_->at(now) != lease_state::lost)
        self_->delayed_send(handle{self_}, lease_->next_look(now), renew_node_lock{});
    });
  }

  void look_at_lease() {
    const auto now = lease_->at(actor_now(*self_));
    if (now == std::exchange(seen_lease_, now))
      return;
    if (now == lease_state::held) {
      self_->send(peers_.locks, open_grants{grants_hold::lock_in_doubt});
      return around_.note(remark{"the lock of " + order_.cordon->value + " is confirmed again"});
    }
    // Also when it is lost: nobody may be granted a stream while the others are told to stop.
    self_->send(peers_.locks, hold_grants{grants_hold::lock_in_doubt});
    around_.note(remark{
      "the lock of " + order_.cordon->value + " is " +
      (now == lease_state::lost ? "lost: " + lease_->reason() : "in doubt: nothing new begins")});
    if (now == lease_state::lost)
      cancel("the lock of " + order_.cordon->value + " was lost: " + lease_->reason());
  }

  void start() {
    std::uint64_t bytes = 0;
    for (const auto& m : order_.migrations)
      bytes += m.memory_bytes;
    if (order_.cordon)
      around_.note(evacuation_started{
        *order_.cordon, static_cast<std::uint32_t>(order_.migrations.size()), bytes});
    for (const auto& m : order_.migrations)
      around_.note(migration_planned{m.vm, m.source, m.target, m.how, m.memory_bytes});
    for (const auto& m : order_.migrations)
      entries_.push_back({spawn_one(m), std::nullopt});
    for (const auto& e : entries_)
      self_->send(e.who, begin_migration{});
    left_ = entries_.size();
    if (cancel_reason_)
      tell_to_cancel();
    if (left_ == 0)
      end();
  }

  migration_handle spawn_one(const migration_order& m) {
    auto who = spawn_migration(
      self_->system(), m,
      {peers_.locks, peers_.owners.at(m.source), peers_.owners.at(m.target), handle{self_}},
      around_);
    self_->monitor(who);
    return who;
  }

  void cancel(const std::string& reason) {
    report_.cancelled = true;
    if (!cancel_reason_)
      cancel_reason_ = reason;
    tell_to_cancel();
  }

  void tell_to_cancel() {
    for (const auto& e : entries_)
      if (!e.result)
        self_->send(e.who, cancel_migration{*cancel_reason_});
  }

  void finished(migration_result r) {
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (order_.migrations[i].vm == r.vm && !entries_[i].result)
        return settle(entries_[i], std::move(r));
  }

  void migration_died(const caf::actor_addr& who) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].result || entries_[i].who.address() != who)
        continue;
      const auto& m = order_.migrations[i];
      return settle(
        entries_[i], migration_result{
                       m.vm,
                       m.source,
                       m.target,
                       {},
                       m.how,
                       verdict::needs_operator,
                       "its migration actor died",
                       {},
                       0});
    }
  }

  void settle(entry& e, migration_result r) {
    e.result = std::move(r);
    if (--left_ == 0)
      end();
  }

  void end() {
    ending_ = true;
    if (seen_lease_ != lease_state::held)
      self_->send(peers_.locks, open_grants{grants_hold::lock_in_doubt});
    for (auto& e : entries_)
      report_.migrations.push_back(*e.result);
    if (!order_.cordon)
      return deliver();
    call(wire::uncordon{}, cordon_deadline, [this](const result<wire::reply_body>& body) {
      if (!body) // The lease of the cordon runs out by itself.
        around_.note(remark{"the cordon could not be lifted: " + to_string(body.error())});
      note_end();
      deliver();
    });
  }

  void note_end() {
    std::uint32_t moved = 0;
    for (const auto& r : report_.migrations)
      moved += r.end == verdict::moved ? 1U : 0U;
    const auto all = static_cast<std::uint32_t>(report_.migrations.size());
    around_.note(evacuation_ended{
      *order_.cordon,
      report_.cancelled ? "cancelled" : (moved == all ? "all_moved" : "some_stayed"), moved,
      all - moved});
  }

  void deliver() {
    report_.duration_s = seconds(actor_now(*self_) - begun_at_);
    answer_.deliver(report_);
    self_->quit();
  }

  template <class Body, class Then>
  void call(Body body, milliseconds deadline, Then then) {
    self_
      ->request(
        peers_.owners.at(*order_.cordon), deadline + answer_grace,
        node_call{std::move(body), deadline})
      .then(
        [then](const node_answer& a) { then(a.body); },
        [then](const caf::error&) {
          then(result<wire::reply_body>{fail(errc::lost, "the node's owner does not answer")});
        });
  }

  handle::pointer self_;
  evacuation_peers peers_;
  surroundings around_;
  caf::typed_response_promise<evacuation_report> answer_;
  evacuation_order order_;
  evacuation_report report_;
  std::vector<entry> entries_;
  std::size_t left_ = 0;
  bool ending_ = false;
  std::optional<std::string> cancel_reason_;
  std::optional<node_lease> lease_; ///< once the cordon was granted
  lease_state seen_lease_ = lease_state::held;
  mono_time begun_at_;
};

} // namespace

evacuation_handle spawn_evacuation(
  caf::actor_system& system, evacuation_peers peers, surroundings around) {
  return spawn_state<evacuation>(system, std::move(peers), std::move(around));
}

} // namespace drover
