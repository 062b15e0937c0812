// The scheduler against real threads and real time. Waiting is bounded by receives.
#include "actors/caf_compat.hpp"
#include "runtime/program/link_scheduler.hpp"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <caf/scoped_actor.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

using namespace drover;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 20s;

using counter_handle =
  drover::iface<caf::result<std::int64_t>(std::int64_t), caf::result<bool>(std::string)>;

/// Adds up the numbers that it is sent; answers a word by whether it runs on the loop's thread.
class counter {
public:
  using handle = counter_handle;
  static constexpr const char* name = "counter";

  counter(handle::pointer self, std::thread::id loop) : self_(self), loop_(loop) {}

  handle::behavior_type make_behavior() {
    return {
      [this](std::int64_t n) { return sum_ += n; },
      [this](const std::string&) { return std::this_thread::get_id() == loop_; },
    };
  }

private:
  handle::pointer self_;
  std::thread::id loop_;
  std::int64_t sum_ = 0;
};

using clockwork_handle =
  drover::iface<caf::result<std::int64_t>(std::string), caf::result<void>(bool)>;

/// Tells after three timers, of which the last was armed first, in which order they came.
class clockwork {
public:
  using handle = clockwork_handle;
  static constexpr const char* name = "clockwork";

  explicit clockwork(handle::pointer self) : self_(self) {}

  handle::behavior_type make_behavior() {
    return {
      [this](const std::string& word) -> caf::result<std::int64_t> {
        answer_ = self_->make_response_promise<std::int64_t>();
        if (word == "never")
          return answer_;
        self_->delayed_send(handle{self_}, 30ms, true);
        self_->delayed_send(handle{self_}, 10ms, false);
        self_->delayed_send(handle{self_}, 20ms, false);
        return answer_;
      },
      [this](bool is_last) {
        ++fired_;
        if (is_last)
          answer_.deliver(fired_);
      },
    };
  }

private:
  handle::pointer self_;
  caf::typed_response_promise<std::int64_t> answer_;
  std::int64_t fired_ = 0;
};

using parent_handle = drover::iface<caf::result<bool>(bool)>;

class parent {
public:
  using handle = parent_handle;
  static constexpr const char* name = "parent";

  explicit parent(handle::pointer self) : self_(self) {}

  handle::behavior_type make_behavior() {
    return {[this](bool) {
      spawn_state<clockwork>(self_->system());
      return true;
    }};
  }

private:
  handle::pointer self_;
};

/// Sends to itself for ever.
using restless_handle = drover::iface<caf::result<void>(bool)>;
class restless {
public:
  using handle = restless_handle;
  static constexpr const char* name = "restless";

  restless(handle::pointer self, std::shared_ptr<std::promise<void>> runs)
    : self_(self), runs_(std::move(runs)) {}

  handle::behavior_type make_behavior() {
    return {[this](bool) {
      if (auto first = std::exchange(runs_, nullptr))
        first->set_value();
      self_->send(handle{self_}, true);
      self_->delayed_send(handle{self_}, 1ms, true);
    }};
  }

private:
  handle::pointer self_;
  std::shared_ptr<std::promise<void>> runs_;
};

struct loop_config : caf::actor_system_config {
  explicit loop_config(std::shared_ptr<link_loop> loop) { run_actors_on(*this, std::move(loop)); }
};

struct rig {
  std::shared_ptr<link_loop> loop = std::make_shared<link_loop>();
  loop_config config{loop};
  caf::actor_system system{config};

  std::thread::id loop_thread() const {
    std::promise<std::thread::id> told;
    asio::post(loop->context(), [&told] { told.set_value(std::this_thread::get_id()); });
    return told.get_future().get();
  }
};

} // namespace

TEST_CASE("actors run on the links' thread and answer whoever asks", "[link_scheduler]") {
  rig r;
  const auto actor = spawn_state<counter>(r.system, r.loop_thread());
  caf::scoped_actor self{r.system};
  bool is_there = false;
  self->request(actor, patience, std::string{"where"})
    .receive([&](bool there) { is_there = there; }, [](const caf::error&) {});
  CHECK(is_there);
}

TEST_CASE("what many threads send at once is all heard", "[link_scheduler]") {
  rig r;
  const auto actor = spawn_state<counter>(r.system, r.loop_thread());
  {
    std::vector<std::jthread> senders;
    for (int i = 0; i < 4; ++i)
      senders.emplace_back([&actor] {
        for (int n = 0; n < 1000; ++n)
          caf::anon_send(actor, std::int64_t{1});
      });
  }
  caf::scoped_actor self{r.system};
  std::int64_t sum = 0;
  self->request(actor, patience, std::int64_t{0})
    .receive([&](std::int64_t n) { sum = n; }, [](const caf::error&) {});
  CHECK(sum == 4000);
}

TEST_CASE("timers come in the order of their moments", "[link_scheduler]") {
  rig r;
  const auto actor = spawn_state<clockwork>(r.system);
  caf::scoped_actor self{r.system};
  std::int64_t fired = 0;
  self->request(actor, patience, std::string{"now"})
    .receive([&](std::int64_t n) { fired = n; }, [](const caf::error&) {});
  CHECK(fired == 3);
}

TEST_CASE("a request that nobody answers ends at its deadline", "[link_scheduler]") {
  rig r;
  const auto actor = spawn_state<clockwork>(r.system);
  caf::scoped_actor self{r.system};
  bool late = false;
  self->request(actor, 20ms, std::string{"never"})
    .receive([](std::int64_t) {}, [&](const caf::error&) { late = true; });
  CHECK(late);
  self->send_exit(actor, caf::exit_reason::kill);
}

TEST_CASE("a system ends whose actors have spawned others", "[link_scheduler]") {
  rig r;
  const auto actor = spawn_state<parent>(r.system);
  caf::scoped_actor self{r.system};
  bool spawned = false;
  self->request(actor, patience, true)
    .receive([&](bool done) { spawned = done; }, [](const caf::error&) {});
  CHECK(spawned);
}

TEST_CASE("a system ends although its actors have still something to do", "[link_scheduler]") {
  for (int round = 0; round < 20; ++round) {
    rig r;
    auto runs = std::make_shared<std::promise<void>>();
    auto begun = runs->get_future();
    const auto actor = spawn_state<restless>(r.system, runs);
    caf::anon_send(actor, true);
    begun.get();
    r.system.await_actors_before_shutdown(false);
  }
  SUCCEED("none of them hung");
}
