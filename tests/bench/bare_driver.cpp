// bare_driver SOURCES TARGETS STREAMS PREPARED: moves all QEMUs of one run directory to another,
// with one epoll loop and QMP alone: no store, no ownership, no second thought. Rule: what drover
// costs is told beside this. The receiving QEMUs are started with the sources' own words, so many
// ahead of their turn; so many stream at a time.
//
//   target: spawn - greeting - getfd, migrate-incoming .. (its turn) .. completed - cont - RESUME
//   source:                 greeting - getfd .. (its turn) migrate - STOP - completed - quit
//
// The streams are drover's: a TCP connection without Nagle's algorithm that both QEMUs are handed,
// the return path on, so that the source is `completed` only when the target has loaded everything.
//
// Prints {"pauses_s": [...], "makespan_s": s, "cpu_s": s}; pauses by QEMU's own stamps.
#include "runtime/hypervisor/spawn.hpp"
#include "runtime/hypervisor/unix_socket.hpp"
#include "tests/bench/bare_qmp.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <tuple>
#include <vector>

namespace drover::bench {
namespace {

using nlohmann::json;
using clock = std::chrono::steady_clock;

constexpr std::string_view hello_and_events =
  "{\"execute\":\"qmp_capabilities\"}\n"
  "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":"
  "[{\"capability\":\"events\",\"state\":true},"
  "{\"capability\":\"return-path\",\"state\":true}]}}\n";
constexpr std::string_view take_stream =
  "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"stream\"}}\n";
constexpr std::string_view listen_and_tell =
  "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:stream\"}}\n"
  "{\"execute\":\"query-status\"}\n";
constexpr std::string_view limits = "{\"execute\":\"migrate-set-parameters\",\"arguments\":"
                                    "{\"max-bandwidth\":1099511627776,\"downtime-limit\":300}}\n";
constexpr std::string_view stream_now =
  "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"fd:stream\"}}\n";

/// Both ends of a TCP connection over loopback that sends what it is given at once.
std::pair<unique_fd, unique_fd> connection() {
  const unique_fd door(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  unique_fd near(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool stands = ::bind(door.get(), reinterpret_cast<const sockaddr*>(&here), size) == 0 &&
                      ::listen(door.get(), 1) == 0 &&
                      ::getsockname(door.get(), reinterpret_cast<sockaddr*>(&here), &size) == 0 &&
                      ::connect(near.get(), reinterpret_cast<const sockaddr*>(&here), size) == 0;
  unique_fd far(stands ? ::accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC) : -1);
  if (!far)
    throw std::runtime_error("no connection over loopback");
  const int at_once = 1;
  for (const int fd : {near.get(), far.get()})
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
  return {std::move(near), std::move(far)};
}

double stamp_s(const json& event) {
  const auto& at = event.at("timestamp");
  return at.at("seconds").get<double>() + at.at("microseconds").get<double>() * 1e-6;
}

std::vector<std::string> words_of(const std::filesystem::path& pid_file) {
  int pid = 0;
  std::ifstream{pid_file} >> pid;
  std::ifstream in("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(in, word, '\0');)
    words.push_back(word);
  return words;
}

class driver {
public:
  driver(std::filesystem::path sources, std::filesystem::path targets, int streams, int prepared)
    : sources_(std::move(sources)), targets_(std::move(targets)), streams_free_(streams),
      prepared_free_(prepared), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (const auto& entry : std::filesystem::directory_iterator(sources_))
      if (entry.path().extension() == ".pid")
        waiting_.push_back(entry.path().stem());
    left_ = waiting_.size();
  }

  json run() {
    const auto begin = clock::now();
    prepare_some();
    while (left_ > 0)
      serve();
    const std::chrono::duration<double> makespan = clock::now() - begin;
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    while (!machines_.empty()) // The sources' ends are not part of anybody's makespan.
      serve();
    return {
      {"pauses_s", pauses_},
      {"makespan_s", makespan.count()},
      {"cpu_s", seconds(used.ru_utime) + seconds(used.ru_stime)}};
  }

private:
  struct machine {
    std::string vm;
    bare_qmp source;
    bare_qmp target;
    unique_fd source_end;
    unique_fd target_end;
    double stopped_s = 0;
    bool source_done = false;
    bool target_done = false;
  };

  void serve() {
    std::array<epoll_event, 64> events{};
    const int n = ::epoll_wait(poll_.get(), events.data(), events.size(), 30'000);
    if (n == 0)
      throw std::runtime_error("nothing has happened for 30 s");
    for (int i = 0; i < n; ++i) {
      const auto found = by_fd_.find(events[static_cast<std::size_t>(i)].data.fd);
      if (found == by_fd_.end())
        continue;
      const auto [m, is_source] = found->second;
      auto& end = is_source ? m->source : m->target;
      const int fd = end.fd();
      end.take_in();
      if (end.is_open())
        continue;
      by_fd_.erase(fd);
      if (!is_source)
        throw std::runtime_error("the target of VM " + m->vm + " has gone");
      by_fd_.erase(m->target.fd());
      machines_.erase(m->vm);
    }
  }

  void watch(machine& m, bool is_source) {
    const int fd = (is_source ? m.source : m.target).fd();
    by_fd_[fd] = {&m, is_source};
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void prepare_some() {
    while (prepared_free_ > 0 && !waiting_.empty()) {
      --prepared_free_;
      const auto vm = waiting_.front();
      waiting_.pop_front();
      auto& m = *(machines_[vm] = std::make_unique<machine>());
      m.vm = vm;
      std::tie(m.source_end, m.target_end) = connection();
      start_target(m);
      m.source = bare_qmp((sources_ / (vm + ".rescue")).native(), [this, &m](const json& said) {
        hear_source(m, said);
      });
      watch(m, true);
    }
  }

  void start_target(machine& m) {
    auto words = words_of(sources_ / (m.vm + ".pid"));
    for (auto& word : words)
      if (const auto at = word.find(sources_.native()); at != std::string::npos)
        word.replace(at, sources_.native().size(), targets_.native());
    words.insert(words.end(), {"-incoming", "defer", "-S"});
    const auto control = (targets_ / (m.vm + ".qmp")).native();
    const auto first = listen_privately(control, 8);
    const auto second = listen_privately(targets_ / (m.vm + ".rescue"), 8);
    const unique_fd log(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (
      !first || !second || !spawn({words, -1, log.get(), log.get(), {first->get(), second->get()}}))
      throw std::runtime_error("the target of VM " + m.vm + " does not start");
    m.target = bare_qmp(control, [this, &m](const json& said) { hear_target(m, said); });
    watch(m, false);
  }

  void hear_source(machine& m, const json& said) {
    if (said.contains("QMP")) {
      m.source.send(hello_and_events);
      m.source.send(limits);
      m.source.send(take_stream, m.source_end.get());
      return m.source_end.reset();
    }
    if (said.contains("error"))
      throw std::runtime_error("the source of VM " + m.vm + " says " + said.dump());
    const auto event = said.value("event", std::string{});
    if (event == "STOP")
      m.stopped_s = stamp_s(said);
    if (event == "MIGRATION" && said.at("data").at("status") == "completed") {
      m.source_done = true;
      let_run(m);
    }
  }

  void hear_target(machine& m, const json& said) {
    if (said.contains("QMP")) {
      m.target.send(hello_and_events);
      m.target.send(take_stream, m.target_end.get());
      m.target_end.reset();
      return m.target.send(listen_and_tell);
    }
    if (said.contains("error"))
      throw std::runtime_error("the target of VM " + m.vm + " says " + said.dump());
    if (said.contains("return") && said.at("return").contains("status")) {
      ready_.push_back(&m);
      return stream_some();
    }
    const auto event = said.value("event", std::string{});
    if (event == "MIGRATION" && said.at("data").at("status") == "completed") {
      m.target_done = true;
      let_run(m);
    }
    if (event == "RESUME")
      ended(m, stamp_s(said));
  }

  void stream_some() {
    while (streams_free_ > 0 && !ready_.empty()) {
      --streams_free_;
      auto& m = *ready_.front();
      ready_.pop_front();
      m.source.send(stream_now);
    }
  }

  static void let_run(machine& m) {
    if (m.source_done && m.target_done)
      m.target.send("{\"execute\":\"cont\"}\n");
  }

  void ended(machine& m, double resumed_s) {
    pauses_.push_back(resumed_s - m.stopped_s);
    m.source.send("{\"execute\":\"quit\"}\n");
    --left_;
    ++streams_free_;
    ++prepared_free_;
    stream_some();
    prepare_some();
  }

  std::filesystem::path sources_;
  std::filesystem::path targets_;
  int streams_free_;
  int prepared_free_;
  unique_fd poll_;
  std::deque<std::string> waiting_;
  std::deque<machine*> ready_;
  std::map<std::string, std::unique_ptr<machine>> machines_;
  std::map<int, std::pair<machine*, bool>> by_fd_;
  std::vector<double> pauses_;
  std::size_t left_ = 0;
};

} // namespace
} // namespace drover::bench

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: bare_driver SOURCES TARGETS STREAMS PREPARED\n", stderr);
    return EXIT_FAILURE;
  }
  try {
    drover::bench::driver all{argv[1], argv[2], std::atoi(argv[3]), std::atoi(argv[4])};
    std::puts(all.run().dump().c_str());
    return EXIT_SUCCESS;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bare_driver: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}
