#include "runtime/hypervisor/qemu_machine.hpp"

#include <utility>

namespace drover {

using nlohmann::json;

namespace {

/// A loaded host starts a hundred QEMUs at once: each may take long to get its turn.
constexpr milliseconds start_deadline{30'000};
/// How long a receiving QEMU lets everybody else go first: several times what it takes beside the
/// streams of a node with two processors. On a node whose guests leave none idle it is up later by
/// this.
constexpr milliseconds start_patience{500};
/// How long an adopted QEMU may keep silent before the rescue socket is tried.
constexpr milliseconds greeting_deadline{2'000};
constexpr milliseconds reconnect_delay{200};
/// A QEMU whose socket nobody can reach must not keep its node's other VMs from being attended.
constexpr int vain_connects_most = 10;

std::string word(const json& object, const char* key) {
  return object.is_object() && object.contains(key) && object.at(key).is_string()
           ? object.at(key).get<std::string>()
           : std::string{};
}

} // namespace

qemu_machine::qemu_machine(std::shared_ptr<machine_host> host, vm_id vm)
  : host_(std::move(host)), vm_(vm), files_(host_->settings.run_dir, vm),
    patience_timer_(host_->loop), reconnect_timer_(host_->loop), end_timer_(host_->loop),
    progress_timer_(host_->loop), cancel_timer_(host_->loop), continue_timer_(host_->loop) {}

// -- start ---------------------------------------------------------------------------------------

std::shared_ptr<qemu_machine> qemu_machine::launch(
  std::shared_ptr<machine_host> host, launch_plan plan, callback<machine_status> answer) {
  std::shared_ptr<qemu_machine> self(new qemu_machine(std::move(host), plan.vm));
  self->config_ = plan.config;
  self->planned_facts_ = std::move(plan.facts);
  self->switches_ = std::move(plan.switches);
  self->wanted_ = std::move(plan.wanted);
  if (plan.number > epoch{})
    self->mark_ = {plan.number, stream_role::target};
  self->join_start(std::move(answer));
  const process_plan process{self->files_, plan.config, self->mark_, plan.argv, plan.tap_bridges};
  const auto spawn = [process, weak = std::weak_ptr(self)](start_gate::permit permit) {
    const auto admitted = weak.lock();
    if (!admitted || admitted->phase_ != phase::starting)
      return;
    admitted->waits_for_turn_ = false;
    admitted->start_permit_ = std::move(permit);
    admitted->host_->spawn_aside(process, [weak](result<new_process> started) {
      if (const auto alive = weak.lock())
        alive->spawned(std::move(started));
    });
  };
  self->waits_for_turn_ = true;
  if (plan.number > epoch{})
    self->host_->starts.enter(spawn);
  else
    spawn({});
  return self;
}

void qemu_machine::spawned(result<new_process> started) {
  if (!started)
    return fail_start(started.error());
  process_ = machine_process::watch(
    host_->loop, std::move(*started), [weak = weak_from_this()](const std::string& how) {
      if (const auto self = weak.lock())
        self->gone(how);
    });
  if (end_was_asked_) {
    process_->kill();
    return watch_end();
  }
  if (auto connected = connect(); !connected)
    return fail_start(connected.error());
  if (mark_.role == stream_role::target)
    start_in_the_end();
  ask_after_start();
}

void qemu_machine::start_in_the_end() {
  patience_timer_.expires_after(start_patience);
  patience_timer_.async_wait([weak = weak_from_this()](const asio::error_code& failure) {
    const auto self = weak.lock();
    if (!self || failure || !self->process_)
      return;
    self->process_->raise();
    self->start_permit_.give_back();
  });
}

result<void> qemu_machine::connect() {
  const auto weak = weak_from_this();
  auto client = qmp_client::connect(
    host_->loop, files_.control(),
    {[weak](const qmp_ready&) {
       if (const auto self = weak.lock(); self && std::exchange(self->owes_hands_, false))
         self->shake_hands();
     },
     [weak](const qmp_event& event) {
       if (const auto self = weak.lock())
         self->take_event(event);
     },
     [weak](const error&) {
       if (const auto self = weak.lock())
         self->lost_connection();
     }});
  if (!client)
    return tl::unexpected(client.error());
  client_ = std::move(*client);
  return {};
}

void qemu_machine::ask_after_start() {
  // The client holds these until QEMU is up; its end, should it not get there, comes by the
  // process.
  const bool receives = mark_.role == stream_role::target;
  switch_migration(
    wanted_, start_deadline, [weak = weak_from_this(), receives](const result<done>& set) {
      // One that runs at once is asked again when it streams.
      if (const auto self = weak.lock(); self && !set && receives)
        self->started(tl::unexpected(set.error()));
    });
  client_->call(
    "query-status", nullptr, start_deadline, [weak = weak_from_this()](const result<json>& status) {
      if (const auto self = weak.lock())
        self->started(status);
    });
}

void qemu_machine::switch_migration(
  const migration_switches::wanted& all, milliseconds deadline, callback<done> answer) {
  const auto changes = switches_.changes(all);
  if (changes.empty())
    return answer(done{});
  if (!client_)
    return host_->answer_later<done>(
      std::move(answer), fail(errc::retry, "there is no connection to QEMU"));
  switches_.forget(changes);
  client_->call(
    "migrate-set-capabilities", argument_of(changes), deadline,
    [weak = weak_from_this(), changes, answer = std::move(answer)](const result<json>& set) {
      if (const auto self = weak.lock(); self && set)
        self->switches_.note(changes);
      answer(set ? result<done>(done{}) : tl::unexpected(set.error()));
    });
}

void qemu_machine::started(const result<json>& status) {
  if (phase_ != phase::starting)
    return;
  if (!status) {
    // A connection that closed means that the process ends: `gone` tells why, with its log.
    if (client_ && client_->is_open())
      fail_start(status.error());
    return;
  }
  start_permit_.give_back();
  run_state_ = word(*status, "status");
  phase_ = phase::up;
  answer_all<machine_status>(start_answers_, this->status());
}

void qemu_machine::fail_start(const error& why) {
  const auto keep = shared_from_this();
  if (phase_ != phase::starting)
    return;
  start_permit_.give_back();
  phase_ = phase::gone;
  end_was_asked_ = true;
  if (process_)
    process_->kill();
  auto told = why;
  told.what = "QEMU did not start: " + why.what;
  if (!process_) {
    files_.remove_all(run_files::log_file::keep);
    host_->remove(vm_);
  }
  answer_all<machine_status>(start_answers_, tl::unexpected(told));
  if (!process_)
    answer_all<done>(end_answers_, done{});
}

// -- a QEMU that is there already
// ------------------------------------------------------------------

result<std::shared_ptr<qemu_machine>> qemu_machine::adopt(
  std::shared_ptr<machine_host> host, vm_id vm, std::function<void()> known) {
  std::shared_ptr<qemu_machine> self(new qemu_machine(std::move(host), vm));
  auto process = machine_process::adopt(
    self->host_->loop, self->files_, [weak = std::weak_ptr(self)](const std::string& how) {
      if (const auto alive = weak.lock())
        alive->gone(how);
    });
  const bool observes = self->host_->settings.access == hypervisor_access::observe;
  if (!process) {
    if (!observes)
      self->files_.remove_all(run_files::log_file::keep);
    return tl::unexpected(process.error());
  }
  self->process_ = std::move(*process);
  if (!observes) {
    // Without it, it would be searched for again the next time.
    if (self->files_.read_pid() != self->process_->pid())
      static_cast<void>(self->files_.write_pid(self->process_->pid()));
    self->process_->raise();
  }
  self->config_ = self->files_.read_started().value_or(std::string{});
  self->mark_ = self->files_.read_stream();
  // What was set up for a stream, its mark tells; a key may be left without one.
  self->has_key_ = self->mark_.role != stream_role::none;
  self->names_key_ = self->has_key_;
  self->may_keep_old_key_ = true;
  self->channels_ = 0;
  self->may_have_streamed_ = true;
  // Whoever would have made the connections of a stream with several channels has gone.
  if (!observes)
    self->files_.remove_multifd();
  self->known_ = std::move(known);
  if (observes)
    self->ask_rescue();
  else if (self->connect())
    self->shake_hands();
  else
    asio::post(self->host_->loop, [weak = std::weak_ptr(self)] {
      if (const auto alive = weak.lock())
        alive->lost_connection();
    });
  return self;
}

void qemu_machine::shake_hands() {
  changed_meanwhile_ = false;
  client_->call(
    "query-migrate-capabilities", nullptr, greeting_deadline,
    [weak = weak_from_this()](const result<json>& list) {
      if (const auto self = weak.lock(); self && list)
        self->switches_.learn(*list);
    });
  const auto status = std::make_shared<json>();
  client_->call("query-status", nullptr, greeting_deadline, [status](const result<json>& answer) {
    if (answer)
      *status = *answer;
  });
  client_->call(
    "query-migrate", nullptr, greeting_deadline,
    [weak = weak_from_this(), status](const result<json>& migration) {
      const auto self = weak.lock();
      if (!self)
        return;
      if (migration && !status->is_null())
        return self->learn(*status, *migration);
      self->ask_rescue();
    });
}

void qemu_machine::learn(const json& status, const json& migration) {
  if (phase_ == phase::gone)
    return;
  // The two answers are of different moments, and what an event told in between belongs to neither.
  if (changed_meanwhile_)
    return shake_hands();
  run_state_ = word(status, "status");
  phase_ = phase::up;
  // QEMU keeps the word of its last stream, whoever began it.
  if (mark_.role == stream_role::none && word(migration, "status").empty())
    may_have_streamed_ = false;
  learn_stream(migration);
  const bool was_known = known_ == nullptr;
  become_known();
  if (was_known)
    report_missed();
}

void qemu_machine::ask_rescue() {
  // Somebody else holds the control socket: its state can be told, and it can be killed. When the
  // other one lets go, the greeting comes and this is made good.
  owes_hands_ = true;
  auto client = qmp_client::connect(
    host_->loop, files_.rescue(),
    {[](const qmp_ready&) {}, [](const qmp_event&) {}, [](const error&) {}});
  if (phase_ == phase::starting)
    phase_ = phase::up;
  if (!client)
    return become_known();
  rescue_ = std::move(*client);
  rescue_->call(
    "query-status", nullptr, greeting_deadline,
    [weak = weak_from_this()](const result<json>& status) {
      const auto self = weak.lock();
      if (!self)
        return;
      if (status)
        self->run_state_ = word(*status, "status");
      std::exchange(self->rescue_, nullptr)->close();
      self->become_known();
    });
}

void qemu_machine::become_known() {
  if (const auto known = std::exchange(known_, nullptr); known && host_->is_open)
    known();
}

void qemu_machine::lost_connection() {
  if (phase_ == phase::gone || !process_)
    return;
  client_.reset();
  reconnect_timer_.expires_after(reconnect_delay);
  reconnect_timer_.async_wait([weak = weak_from_this()](const asio::error_code& failure) {
    const auto self = weak.lock();
    if (!self || failure || self->phase_ == phase::gone)
      return;
    // One that was just launched has nothing to say to a second connection.
    if (self->phase_ == phase::starting && !self->known_)
      return self->fail_start({errc::refused, "it closed its control socket", {}});
    if (!self->connect()) {
      if (self->known_ && ++self->vain_connects_ == vain_connects_most)
        self->ask_rescue();
      return self->lost_connection();
    }
    self->shake_hands();
  });
}

} // namespace drover
