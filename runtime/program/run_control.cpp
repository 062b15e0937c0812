#include "runtime/program/run_control.hpp"

#include "runtime/program/state_directory.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <fmt/format.h>

namespace drover {
namespace {

/// FNV-1a: the same for the same text in every drover, which std::hash does not promise.
std::uint64_t fingerprint(const std::string& text) {
  std::uint64_t sum = 14695981039346656037U;
  for (const char c : text)
    sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return sum;
}

} // namespace

std::filesystem::path socket_file(const std::filesystem::path& state, const std::string& id) {
  return state / "running" / (id + ".sock");
}

std::filesystem::path node_lock_file(
  const std::filesystem::path& state, const std::string& cluster_file, const node_id& node) {
  std::error_code problem;
  const auto whole = std::filesystem::weakly_canonical(cluster_file, problem).string();
  return state / "running" / fmt::format("{:016x}-{}.node", fingerprint(whole), node.value);
}

std::string to_string(const node_lock_text& text) { return text.controller + "\n" + text.id; }

node_lock_text node_lock_text_of(const std::string& text) {
  const auto end = text.find('\n');
  if (end == std::string::npos)
    return {text, {}};
  return {text.substr(0, end), text.substr(end + 1)};
}

// -- progress ------------------------------------------------------------------------------------

follower_feed::follower_feed() {
  cookie_io_functions_t io{};
  io.write = &follower_feed::written;
  stream_ = fopencookie(this, "w", io);
  view_ = std::make_unique<progress_view>(stream_, progress_look{});
}

follower_feed::~follower_feed() {
  view_.reset();
  std::fclose(stream_);
}

void follower_feed::take(const trace_event& event) { view_->take(event); }

void follower_feed::lead_to(control_server* server) {
  const std::lock_guard guard{mutex_};
  server_ = server;
}

ssize_t follower_feed::written(void* self, const char* text, std::size_t size) {
  auto& feed = *static_cast<follower_feed*>(self);
  const std::lock_guard guard{feed.mutex_};
  if (feed.server_ != nullptr)
    feed.server_->say({text, size});
  return static_cast<ssize_t>(size);
}

// -- wishes --------------------------------------------------------------------------------------

run_control::run_control(
  const std::string& state_dir, const std::string& id, fleet& nodes, run_log& log,
  std::shared_ptr<follower_feed> feed)
  : nodes_(&nodes), log_(&log), feed_(std::move(feed)) {
  const auto state = state_directory(state_dir);
  auto opened = state ? control_server::open(
                          socket_file(*state, id), [this](control_ask ask) { return handle(ask); })
                      : result<std::unique_ptr<control_server>>{tl::unexpected(state.error())};
  if (!opened) {
    std::fprintf(
      stderr, "drover: warning: %s; this run cannot be paused from outside\n",
      to_string(opened.error()).c_str());
    return;
  }
  server_ = std::move(*opened);
  feed_->lead_to(server_.get());
}

run_control::~run_control() {
  close();
  feed_->lead_to(nullptr);
}

void run_control::close() {
  const std::lock_guard guard{mutex_};
  nodes_ = nullptr;
}

void run_control::end(const run_result& r) {
  if (server_)
    server_->end({static_cast<int>(r.code), to_table(r), to_json(r)});
}

std::string run_control::handle(control_ask ask) {
  const std::lock_guard guard{mutex_};
  if (nodes_ == nullptr)
    return "it is ending already";
  switch (ask) {
  case control_ask::pause:
    nodes_->pause();
    log_->note(wish_changed{run_wish::pause});
    return "paused: nothing new begins, what is under way ends as it would have";
  case control_ask::resume:
    nodes_->go_on();
    log_->note(wish_changed{run_wish::go_on});
    return "goes on";
  case control_ask::cancel:
    log_->note(wish_changed{run_wish::cancel});
    nodes_->go_on(); // What waits has to be told that it stays.
    nodes_->cancel("cancelled by the operator");
    return "cancelling: what is past its switchover is finished, the rest stays";
  case control_ask::follow:
    break;
  }
  return {};
}

} // namespace drover
