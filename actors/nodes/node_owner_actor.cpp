#include "actors/nodes/node_owner_actor.hpp"

#include "actors/actor_time.hpp"

namespace drover {
namespace {

class node_owner {
public:
  using handle = node_owner_handle;
  static constexpr const char* name = "node_owner";

  node_owner(
    handle::pointer self, session::settings settings, link_ptr way, surroundings around,
    link_opening opening)
    : self_(self), node_(settings.node), session_(std::move(settings)), way_(std::move(way)),
      around_(std::move(around)), opening_(opening) {}

  handle::behavior_type make_behavior() {
    if (opening_ == link_opening::at_once)
      carry_out(session_.start(now()));
    return {
      [this](node_call& m) -> caf::result<node_answer> { return call(std::move(m)); },
      [this](follow_vm& m) { followers_[m.vm] = std::move(m.who); },
      [this](unfollow_vm m) { followers_.erase(m.vm); },
      [this](link_opened) { carry_out(session_.opened(now())); },
      [this](const link_line& m) { carry_out(session_.line(m.text, now())); },
      [this](const link_closed& m) { carry_out(session_.closed(m.why, now())); },
      [this](wake_node m) {
        if (m.generation == wake_generation_)
          carry_out(session_.tick(now()));
      },
      [this](leave_node) {
        leaving_ = true;
        carry_out(session_.stop(now()));
      },
    };
  }

private:
  /// A call that was not answered.
  struct pending {
    caf::typed_response_promise<node_answer> promise;
    const char* method;
    mono_time since;
  };

  mono_time now() const { return actor_now(*self_); }

  caf::result<node_answer> call(node_call m) {
    auto answer = self_->make_response_promise<node_answer>();
    const auto* method = std::visit([](const auto& body) { return body.method; }, m.body);
    auto called = session_.call(std::move(m.body), now() + m.deadline, now());
    // The answer may already be among the commands, so the promise is kept first.
    pending_.emplace(called.id, pending{answer, method, now()});
    carry_out(std::move(called.todo));
    if (session_.at() == session::phase::idle)
      carry_out(session_.start(now()));
    return answer;
  }

  void carry_out(session::commands todo) {
    for (auto& c : todo)
      std::visit([this](auto& x) { carry_out(x); }, c);
    if (session_.at() == session::phase::stopped)
      self_->quit();
  }

  void carry_out(session::open_link&) {
    handle me{self_};
    way_->open(
      {[me] { caf::anon_send(me, link_opened{}); },
       [me](std::string text) { caf::anon_send(me, link_line{std::move(text)}); },
       [me](error why) { caf::anon_send(me, link_closed{std::move(why)}); }});
  }

  void carry_out(session::send_line& c) { way_->send(std::move(c.line)); }
  void carry_out(session::close_link&) { way_->close(); }

  void carry_out(session::answer& c) {
    auto kept = pending_.find(c.id);
    if (kept == pending_.end())
      return;
    auto call = std::move(kept->second);
    pending_.erase(kept);
    const auto outcome = c.body ? std::string{"ok"} : std::string{to_string(c.body.error().code)};
    call.promise.deliver(node_answer{std::move(c.body), std::move(c.clock), c.link});
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(now() - call.since);
    around_.note(
      node_answered{node_, call.method, outcome, static_cast<std::uint64_t>(took.count())});
  }

  void carry_out(session::notice_came& c) {
    if (auto* progress = std::get_if<wire::stream_progress>(&c.body)) {
      if (auto follower = followers_.find(progress->vm); follower != followers_.end())
        self_->send(follower->second, stream_report{*progress});
      return;
    }
    for (auto& operation : std::get<wire::node_trace>(c.body).operations)
      around_.note(std::move(operation));
  }

  void carry_out(session::state_changed& c) {
    const auto* state = c.state == session::link_state::up ? "up" : leaving_ ? "left" : "down";
    around_.note(link_changed{node_, state, std::move(c.reason)});
  }

  void carry_out(session::agent_restarted& c) {
    around_.note(remark{
      node_.value + (c.what == session::restart::host ? ": the host has rebooted"
                                                      : ": another agent process answers")});
  }

  void carry_out(session::asked_again& c) {
    around_.note(retried{node_, std::move(c.method), "the link was lost", "link_lost"});
  }

  void carry_out(session::dropped& c) {
    around_.note(
      remark{node_.value + ": " + std::string{session::to_string(c.kind)} + " dropped: " + c.text});
  }

  void carry_out(session::wake_at& c) {
    const auto delay = c.at > now() ? c.at - now() : nanoseconds{0};
    self_->delayed_send(handle{self_}, delay, wake_node{++wake_generation_});
  }

  handle::pointer self_;
  node_id node_;
  node_session session_;
  link_ptr way_;
  surroundings around_;
  link_opening opening_;
  std::map<request_id, pending> pending_;
  std::map<vm_id, migration_handle> followers_;
  std::uint32_t wake_generation_ = 0;
  bool leaving_ = false; ///< what goes down from now on is meant to
};

} // namespace

node_owner_handle spawn_node_owner(
  caf::actor_system& system, session::settings settings, link_ptr way, surroundings around,
  link_opening opening) {
  return spawn_state<node_owner>(
    system, std::move(settings), std::move(way), std::move(around), opening);
}

} // namespace drover
