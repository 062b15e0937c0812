#include "runtime/link/agent_run.hpp"

#include <asio/buffer.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <utility>

namespace drover {
namespace {

using descriptor = asio::posix::stream_descriptor;

/// Between the end of a child's output and its exit; normally microseconds.
constexpr milliseconds exit_wait = std::chrono::seconds(1);
/// Reads at one go, so that one link cannot starve the others.
constexpr int reads_max = 8;
/// Reads after a child's death: more than the largest pipe holds, but an end, because a process of
/// the child's own may still write.
constexpr int last_reads_max = 64;

} // namespace

agent_run::agent_run(
  asio::io_context& context, process_link_settings settings, child_process child, listener tell)
  : settings_(std::move(settings)), child_(std::move(child)), tell_(std::move(tell)),
    watch_(context, child_.watch.release()), output_(context, child_.output.release()),
    input_(context, asio::local::stream_protocol(), child_.input.release()), timer_(context),
    framer_(line_bytes_max) {
  output_.non_blocking(true);
}

void agent_run::begin() {
  watch_.async_wait(
    descriptor::wait_read, [self = shared_from_this()](const asio::error_code& failed) {
      if (!failed)
        self->exited();
    });
  read();
}

// -- lines ---------------------------------------------------------------------------------------

void agent_run::read() {
  // Waits without reading, so that nothing is under way when `exited` reads the rest.
  output_.async_wait(
    descriptor::wait_read, [self = shared_from_this()](const asio::error_code& failed) {
      if (failed || self->told_)
        return;
      for (int n = 0; n < reads_max && self->read_once(); ++n)
        continue;
      if (self->output_ended_)
        self->half_closed("closed its output");
      else if (!self->told_)
        self->read();
    });
}

bool agent_run::read_once() {
  if (told_ || output_ended_)
    return false;
  asio::error_code failed;
  const auto size = output_.read_some(asio::buffer(buffer_), failed);
  if (failed == asio::error::would_block)
    return false;
  if (failed) {
    output_ended_ = true;
    return false;
  }
  const auto ok = framer_.feed({buffer_.data(), size}, [this](std::string line) {
    if (tell_.line)
      tell_.line(std::move(line));
  });
  if (!ok)
    break_off(ok.error());
  return ok.has_value();
}

void agent_run::send(std::string_view line) {
  if (closing_ || told_)
    return;
  if (line.size() > line_bytes_max || line.find('\n') != std::string_view::npos)
    return break_off(
      {errc::bug, "a line was sent that no link can carry",
       std::to_string(line.size()) + " bytes"});
  if (queued_.size() + line.size() > settings_.queued_bytes_max)
    return break_off(
      {errc::lost, "the agent does not read what it is sent",
       std::to_string(queued_.size()) + " bytes wait"});
  queued_ += line;
  queued_ += '\n';
  write();
}

void agent_run::write() {
  if (!writing_.empty() || queued_.empty())
    return;
  writing_.swap(queued_);
  asio::async_write(
    input_, asio::buffer(writing_),
    [self = shared_from_this()](const asio::error_code& failed, std::size_t) {
      self->written(failed);
    });
}

void agent_run::written(const asio::error_code& failed) {
  writing_.clear();
  if (failed)
    return half_closed("closed its input");
  write();
  if (closing_ && writing_.empty())
    close_input();
}

void agent_run::close_input() {
  asio::error_code ignored;
  input_.close(ignored);
}

// -- the end -------------------------------------------------------------------------------------

void agent_run::close() {
  if (closing_ || told_)
    return;
  closing_ = true;
  cause_ = error{errc::lost, "the link was closed", {}};
  if (writing_.empty())
    close_input();
  wait_for_exit(settings_.close_wait);
}

void agent_run::forget() {
  tell_ = {};
  close();
}

void agent_run::break_off(error why) {
  if (told_)
    return;
  cause_ = std::move(why);
  closing_ = true;
  tell_end();
}

void agent_run::half_closed(const char* what) {
  if (closing_ || told_)
    return;
  closing_ = true;
  half_closed_ = what;
  close_input();
  wait_for_exit(exit_wait);
}

void agent_run::wait_for_exit(milliseconds wait) {
  timer_.expires_after(wait);
  timer_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
    if (!cancelled)
      self->tell_end();
  });
}

void agent_run::exited() {
  exit_text_ = reap_child(child_);
  for (int n = 0; n < last_reads_max && read_once(); ++n)
    continue;
  timer_.cancel();
  asio::error_code ignored;
  watch_.close(ignored);
  tell_end();
}

error agent_run::reason() const {
  if (cause_)
    return cause_->context.empty() ? error{cause_->code, cause_->what, exit_text_} : *cause_;
  std::string what = "the agent ";
  if (!exit_text_.empty())
    what += exit_text_;
  else
    what += half_closed_ ? half_closed_ : "went away";
  if (framer_.pending() > 0)
    what += " in the middle of a line";
  return {errc::lost, std::move(what), last_log_line(child_, settings_.log_path)};
}

void agent_run::tell_end() {
  if (told_)
    return;
  told_ = true;
  close_input();
  asio::error_code ignored;
  output_.close(ignored);
  if (exit_text_.empty())
    signal_after(settings_.term_after, SIGTERM);
  const auto ended = std::move(tell_.ended);
  tell_ = {};
  if (ended)
    ended(reason());
}

void agent_run::signal_after(milliseconds wait, int number) {
  timer_.expires_after(wait);
  timer_.async_wait([self = shared_from_this(), number](const asio::error_code& cancelled) {
    if (cancelled || !self->exit_text_.empty())
      return;
    // Not reaped yet, so the pid is still this child's.
    ::kill(self->child_.pid, number);
    if (number == SIGTERM)
      self->signal_after(self->settings_.kill_after - self->settings_.term_after, SIGKILL);
  });
}

} // namespace drover
