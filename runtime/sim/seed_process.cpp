#include "runtime/sim/seed_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace drover {
namespace {

std::string line_of(const seed_report& r) {
  const nlohmann::json whole{
    {"seed", r.seed},
    {"verdict", static_cast<unsigned>(r.verdict)},
    {"wrong", r.wrong},
    {"moved", r.moved},
    {"needs_operator", r.needs_operator},
    {"lost_to_faults", r.lost_to_faults},
    {"steps", r.steps},
    {"virtual_s", r.virtual_s},
    {"injected", r.injected},
    {"met", r.met}};
  return whole.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

seed_report report_of(const nlohmann::json& whole) {
  seed_report r;
  whole.at("seed").get_to(r.seed);
  r.verdict = static_cast<seed_verdict>(whole.at("verdict").get<unsigned>());
  whole.at("wrong").get_to(r.wrong);
  whole.at("moved").get_to(r.moved);
  whole.at("needs_operator").get_to(r.needs_operator);
  whole.at("lost_to_faults").get_to(r.lost_to_faults);
  whole.at("steps").get_to(r.steps);
  whole.at("virtual_s").get_to(r.virtual_s);
  whole.at("injected").get_to(r.injected);
  whole.at("met").get_to(r.met);
  return r;
}

} // namespace

void seed_process::teller::begins(std::uint64_t seed) const { write(std::to_string(seed) + "\n"); }

void seed_process::teller::ended(const seed_report& report) const { write(line_of(report) + "\n"); }

void seed_process::teller::write(const std::string& line) const {
  for (std::size_t at = 0; at < line.size();) {
    const auto n = ::write(fd_, line.data() + at, line.size() - at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      ::_exit(0); // Nobody listens any more.
    at += static_cast<std::size_t>(n);
  }
}

result<seed_process> seed_process::start(const std::function<void(const teller&)>& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0)
    return fail(errc::retry, "no pipe for a seed's process", std::strerror(errno));
  const auto pid = ::fork();
  if (pid < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return fail(errc::retry, "no process for seeds", std::strerror(errno));
  }
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ends[0]);
    work(teller{ends[1]});
    ::_exit(0);
  }
  ::close(ends[1]);
  return seed_process{pid, ends[0]};
}

seed_process::seed_process(seed_process&& other) noexcept
  : pid_(std::exchange(other.pid_, 0)), fd_(std::exchange(other.fd_, -1)),
    text_(std::move(other.text_)), begun_(other.begun_) {}

seed_process& seed_process::operator=(seed_process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(fd_, other.fd_);
  std::swap(text_, other.text_);
  std::swap(begun_, other.begun_);
  return *this;
}

seed_process::~seed_process() { kill(); }

std::vector<seed_report> seed_process::read() {
  std::array<char, 65536> bytes{};
  const auto n = ::read(fd_, bytes.data(), bytes.size());
  if (n <= 0) {
    close();
    return {};
  }
  text_.append(bytes.data(), static_cast<std::size_t>(n));
  std::vector<seed_report> reports;
  for (std::size_t end = 0; (end = text_.find('\n')) != std::string::npos;) {
    const auto line = text_.substr(0, end);
    text_.erase(0, end + 1);
    const auto whole = nlohmann::json::parse(line, nullptr, false);
    if (whole.is_number()) {
      begun_ = whole.get<std::uint64_t>();
    } else if (whole.is_object()) {
      begun_.reset();
      reports.push_back(report_of(whole));
    }
  }
  return reports;
}

void seed_process::kill() {
  if (pid_ != 0)
    ::kill(pid_, SIGKILL);
  close();
}

void seed_process::close() {
  if (fd_ >= 0)
    ::close(std::exchange(fd_, -1));
  if (pid_ != 0)
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
}

} // namespace drover
