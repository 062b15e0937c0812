// A link whose far end is a script instead of an agent. Rule: it answers through the codec like an
// agent, so what the actors say and hear is what goes over a real link.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/link/link.hpp"
#include "runtime/wire/codec.hpp"
#include "runtime/wire/features.hpp"
#include "tests/support/tickets.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover::testing {

class scripted_link final : public link {
public:
  /// What the node says to a request; nullopt = nothing, for ever.
  using script = std::function<std::optional<result<wire::reply_body>>(const wire::request&)>;

  scripted_link(node_id node, script answer) : node_(std::move(node)), answer_(std::move(answer)) {}

  void open(link_events events) override {
    std::unique_lock lock{mutex_};
    events_ = std::move(events);
    is_open_ = true;
    const auto opened = events_.opened;
    lock.unlock();
    opened();
  }

  void send(std::string line) override {
    auto asked = wire::decode_request(line);
    if (!asked)
      return cut("unreadable line");
    {
      const std::lock_guard lock{mutex_};
      if (!is_open_)
        return;
      methods_.emplace_back(wire::method_name(asked->body));
    }
    auto body = std::holds_alternative<wire::hello>(asked->body)
                  ? std::optional{result<wire::reply_body>{hello()}}
                  : answer_(*asked);
    if (!body)
      return;
    const std::lock_guard lock{mutex_};
    if (is_open_)
      events_.line(wire::encode(wire::reply{asked->id, std::move(*body)}));
  }

  void close() override { cut("closed"); }

  void cut(const std::string& why) {
    const std::lock_guard lock{mutex_};
    if (!is_open_)
      return;
    is_open_ = false;
    events_.closed(error{errc::lost, why, node_.value});
  }

  std::vector<std::string> methods() const {
    const std::lock_guard lock{mutex_};
    return methods_;
  }

private:
  wire::hello_reply hello() const {
    wire::hello_reply h;
    h.protocol = wire::protocol_version;
    h.node = node_;
    h.boot_id = "boot";
    h.agent_pid = 1;
    h.features.emplace_back(wire::feature::stream_tls);
    return h;
  }

  const node_id node_;
  const script answer_;
  mutable std::mutex mutex_;
  link_events events_;
  bool is_open_ = false;
  std::vector<std::string> methods_;
};

/// The good answers of an agent that always succeeds; the epoch is 1.
struct good_answers {
  const node_id& here;
  result<wire::reply_body> operator()(const wire::begin_handover& b) const {
    return wire::begun{
      make_ticket(b.vm.value, 1, here.value.c_str(), b.target.value.c_str(), b.how),
      "name: a\n",
      {},
      false,
      0,
      0};
  }
  result<wire::reply_body> operator()(const wire::receive&) const {
    return wire::stream_offer{"127.0.0.1", 4000, "token", 10, "boot", "key"};
  }
  result<wire::reply_body> operator()(const wire::await_outcome& a) const {
    const bool source = a.evidence.source() == here;
    wire::outcome o{wire::stream_end::completed, {}, {}, wall_time{milliseconds{102}}, 4096};
    if (source)
      o.stopped = wall_time{milliseconds{100}};
    return o;
  }
  result<wire::reply_body> operator()(const wire::take_over&) const {
    return wire::taken_over{wire::run_state::running, wall_time{milliseconds{104}}};
  }
  result<wire::reply_body> operator()(const wire::await_claim&) const {
    return wire::claimed{wall_time{milliseconds{105}}};
  }
  result<wire::reply_body> operator()(const wire::void_handover& v) const {
    return wire::voided{v.evidence.number(), "boot", epoch{0}};
  }
  result<wire::reply_body> operator()(const wire::list_vms&) const { return wire::vm_list{}; }
  template <class Other>
  result<wire::reply_body> operator()(const Other&) const {
    return wire::accepted{};
  }
};

inline result<wire::reply_body> good_answer(const wire::request& asked, const node_id& here) {
  return std::visit(good_answers{here}, asked.body);
}

} // namespace drover::testing
