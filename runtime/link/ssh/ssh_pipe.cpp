#include "runtime/link/ssh/ssh_pipe.hpp"

#include "runtime/link/ssh/ssh_bytes.hpp"
#include "runtime/wire/limits.hpp"

#include <asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace drover::ssh {
namespace {

/// Between the end of the agent's output and its exit; normally microseconds.
constexpr milliseconds exit_wait = std::chrono::seconds(1);
/// Per stream and round, so that one link cannot starve the others.
constexpr int reads_max = 8;
constexpr int writes_max = 32;
/// Rounds before the other links have their turn.
constexpr int rounds_max = 4;
constexpr std::size_t error_chars_max = 200;
constexpr std::size_t error_line_bytes_max = 4096;

} // namespace

ssh_pipe::ssh_pipe(
  asio::io_context& context, ssh_link_settings settings, std::shared_ptr<ssh_session> session,
  listener tell)
  : settings_(std::move(settings)), session_(std::move(session)), tell_(std::move(tell)),
    context_(context), beat_timer_(context), end_timer_(context), framer_(line_bytes_max),
    heard_(monotonic_now()) {}

void ssh_pipe::begin() {
  watch_.emplace(context_, session_->fd(), [weak = weak_from_this()] {
    if (const auto self = weak.lock())
      self->pump();
  });
  if (!settings_.log_path.empty()) {
    log_ = unique_fd(
      ::open(settings_.log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    if (log_.get() < 0)
      return break_off(
        {errc::lost, std::string{"cannot open the log: "} + std::strerror(errno),
         settings_.log_path});
  }
  arm_beat();
  wake();
}

void ssh_pipe::wake() {
  if (std::exchange(is_awake_, true))
    return;
  asio::post(context_, [self = shared_from_this()] {
    self->is_awake_ = false;
    self->pump();
  });
}

// -- lines ---------------------------------------------------------------------------------------

void ssh_pipe::pump() {
  const auto self = shared_from_this();
  for (int n = 0; n < rounds_max; ++n) {
    if (told_)
      return;
    if (round())
      continue;
    if (!told_)
      wait();
    return;
  }
  if (!told_)
    wake();
}

bool ssh_pipe::round() {
  const auto before = session_->bytes_received();
  bool moved = false;
  if (is_beating_ && may(sender::beating))
    beat_some();
  if (!told_ && may(sender::writing))
    moved = write_some();
  if (!told_ && closing_ && !input_ended_ && may(sender::ending))
    end_input();
  if (!told_ && !output_ended_ && may(sender::reading))
    moved = read_some() || moved;
  if (!told_ && output_ended_ && may(sender::ending))
    after_output();
  if (told_)
    return false;
  if (session_->bytes_received() != received_) {
    received_ = session_->bytes_received();
    heard_ = monotonic_now();
  }
  return moved || session_->bytes_received() != before;
}

bool ssh_pipe::may(sender who) const { return !session_->is_half_sent() || last_sender_ == who; }

bool ssh_pipe::read_some() {
  last_sender_ = sender::reading;
  bool moved = false;
  for (int n = 0; n < reads_max && !told_ && !session_->is_half_sent(); ++n) {
    const bool has_errors = read_from(stream::errors);
    if (told_ || session_->is_half_sent())
      break;
    if (!read_from(stream::output) && !has_errors)
      break;
    moved = true;
  }
  // A window adjustment that is half sent is finished by reading again, whatever comes.
  if (!told_ && !moved && session_->is_half_sent())
    moved = read_from(stream::output);
  return moved;
}

bool ssh_pipe::read_from(stream which) {
  const auto got = session_->read(which, buffer_);
  if (!got) {
    lost(got.error());
    return false;
  }
  if (got->what == arrival::kind::end) {
    output_ended_ = true;
    return false;
  }
  if (got->what == arrival::kind::nothing)
    return false;
  const std::string_view bytes(buffer_.data(), got->size);
  if (which == stream::errors) {
    take_errors(bytes);
    return true;
  }
  const auto ok = framer_.feed(bytes, [this](std::string line) {
    if (tell_.line)
      tell_.line(std::move(line));
  });
  if (!ok)
    break_off(ok.error());
  return true;
}

void ssh_pipe::take_errors(std::string_view bytes) {
  // A log on a full disk is no reason to lose the link.
  if (log_.get() >= 0 && ::write(log_.get(), bytes.data(), bytes.size()) < 0)
    log_ = unique_fd();
  error_line_ += bytes;
  for (auto end = error_line_.find('\n'); end != std::string::npos; end = error_line_.find('\n')) {
    last_words_ = plain_text(error_line_.substr(0, end), error_chars_max);
    error_line_.erase(0, end + 1);
  }
  if (error_line_.size() > error_line_bytes_max)
    error_line_.resize(error_line_bytes_max);
}

void ssh_pipe::send(std::string_view line) {
  if (closing_ || told_)
    return;
  if (line.size() > line_bytes_max || line.find('\n') != std::string_view::npos)
    return break_off(
      {errc::bug, "a line was sent that no link can carry",
       std::to_string(line.size()) + " bytes"});
  const auto waiting = writing_.size() - written_ + queued_.size();
  if (waiting + line.size() > settings_.queued_bytes_max)
    return break_off(
      {errc::lost, "the agent does not read what it is sent",
       std::to_string(waiting) + " bytes wait"});
  queued_ += line;
  queued_ += '\n';
  wake();
}

bool ssh_pipe::write_some() {
  bool moved = false;
  for (int n = 0; n < writes_max; ++n) {
    if (writing_.empty())
      writing_.swap(queued_);
    if (writing_.empty() || output_ended_)
      break;
    last_sender_ = sender::writing;
    const auto wrote = session_->write(std::string_view{writing_}.substr(written_));
    if (!wrote) {
      lost(wrote.error());
      return false;
    }
    if (*wrote == 0)
      break;
    moved = true;
    written_ += *wrote;
    if (written_ == writing_.size()) {
      writing_.clear();
      written_ = 0;
    }
  }
  return moved;
}

void ssh_pipe::wait() {
  // What has arrived is not read while a packet is half sent, so waiting for it would spin. sshd
  // reads whether or not it can write, so this ends.
  watch_->wait(
    session_->is_half_sent() ? socket_watch::wish::writable : socket_watch::wish::readable);
}

// -- signs of life -------------------------------------------------------------------------------

void ssh_pipe::arm_beat() {
  beat_timer_.expires_after(std::max<nanoseconds>(
    heard_ + (is_beating_ ? settings_.beat_within : settings_.beat_every) - monotonic_now(),
    milliseconds(1)));
  beat_timer_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && !self->told_)
      self->beat_due();
  });
}

void ssh_pipe::beat_due() {
  const auto self = shared_from_this();
  // What has arrived meanwhile counts: the loop itself may have been late.
  pump();
  if (told_)
    return;
  if (is_peer_taking())
    heard_ = monotonic_now();
  const auto silence = monotonic_now() - heard_;
  if (is_beating_ && silence >= settings_.beat_within) {
    cause_ = error{
      errc::lost, "no sign of life from the sshd of " + settings_.host,
      std::to_string(std::chrono::duration_cast<milliseconds>(silence).count()) + " ms"};
    return tell_end();
  }
  if (!is_beating_ && silence >= settings_.beat_every) {
    is_beating_ = true;
    pump();
  }
  if (!told_)
    arm_beat();
}

void ssh_pipe::beat_some() {
  last_sender_ = sender::beating;
  const auto made = session_->beat();
  if (!made)
    return lost(made.error());
  is_beating_ = *made == step::again;
  if (is_beating_)
    return;
  heard_ = monotonic_now();
  arm_beat();
}

bool ssh_pipe::is_peer_taking() {
  int unsent = 0;
  if (::ioctl(session_->fd(), SIOCOUTQ, &unsent) != 0)
    return false;
  // Only while a question cannot get through: what fits into the socket's buffers is taken by the
  // kernel of a peer whose sshd hangs.
  const bool is_less = unsent < unsent_bytes_;
  unsent_bytes_ = unsent;
  return is_less && session_->is_half_sent();
}

// -- the end -------------------------------------------------------------------------------------

void ssh_pipe::close() {
  if (closing_ || told_)
    return;
  closing_ = true;
  cause_ = error{errc::lost, "the link was closed", {}};
  end_within(settings_.close_wait);
  wake();
}

void ssh_pipe::forget() {
  tell_ = {};
  close();
}

void ssh_pipe::end_input() {
  if (!writing_.empty() || !queued_.empty())
    return;
  last_sender_ = sender::ending;
  const auto made = session_->end_input();
  if (!made)
    return lost(made.error());
  input_ended_ = *made == step::done;
}

void ssh_pipe::after_output() {
  if (!closing_) {
    // It is expected to exit; what it was sent and did not read is of no use any more.
    closing_ = true;
    end_within(exit_wait);
  }
  writing_.clear();
  queued_.clear();
  if (!input_ended_)
    end_input();
  if (told_ || !input_ended_)
    return;
  last_sender_ = sender::ending;
  const auto made = session_->wait_for_exit();
  if (!made)
    return lost(made.error());
  if (*made == step::again)
    return;
  exit_text_ = session_->exit_text();
  tell_end();
}

void ssh_pipe::end_within(milliseconds wait) {
  end_timer_.expires_after(wait);
  end_timer_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
    if (!cancelled)
      self->tell_end();
  });
}

void ssh_pipe::break_off(error why) {
  if (told_)
    return;
  cause_ = std::move(why);
  tell_end();
}

void ssh_pipe::lost(error why) {
  if (!cause_) {
    why.what += " (sshd of " + settings_.host + ")";
    cause_ = std::move(why);
  }
  tell_end();
}

error ssh_pipe::reason() const {
  if (cause_)
    return cause_->context.empty() ? error{cause_->code, cause_->what, exit_text_} : *cause_;
  std::string what = "the agent " + (exit_text_.empty() ? "closed its output" : exit_text_);
  if (framer_.pending() > 0)
    what += " in the middle of a line";
  return {errc::lost, std::move(what), last_words_};
}

void ssh_pipe::tell_end() {
  if (std::exchange(told_, true))
    return;
  const auto self = shared_from_this();
  beat_timer_.cancel();
  end_timer_.cancel();
  watch_.reset();
  session_->abandon();
  session_ = nullptr;
  const auto ended = std::move(tell_.ended);
  tell_ = {};
  if (ended)
    ended(reason());
}

} // namespace drover::ssh
