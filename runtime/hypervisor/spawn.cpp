#include "runtime/hypervisor/spawn.hpp"

#include "runtime/base/check.hpp"
#include "runtime/base/unique_fd.hpp"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>

extern char** environ;

namespace drover {

namespace {

/// The child's numbers must not collide with the parent's while they are copied one by one.
result<std::vector<unique_fd>> out_of_the_way(const std::vector<int>& fds) {
  std::vector<unique_fd> moved;
  const int above = first_passed_fd + static_cast<int>(fds.size());
  for (const int fd : fds) {
    moved.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, above));
    if (!moved.back())
      return fail(errc::retry, "cannot copy a descriptor: " + std::string{std::strerror(errno)});
  }
  return moved;
}

class spawn_plan {
public:
  spawn_plan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(
      &attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;
  ~spawn_plan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  void connect(int fd, int as) { posix_spawn_file_actions_adddup2(&actions_, fd, as); }
  void close_from(int fd) { posix_spawn_file_actions_addclosefrom_np(&actions_, fd); }
  int run(pid_t& pid, char** argv) {
    return posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv, environ);
  }

private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

} // namespace

result<pid_t> spawn(const spawn_request& request) {
  DROVER_CHECK(!request.argv.empty(), "a process has a name");
  const unique_fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto or_null = [&null](int fd) { return fd < 0 ? null.get() : fd; };
  std::vector<int> all{or_null(request.input), or_null(request.output), or_null(request.errors)};
  all.insert(all.end(), request.descriptors.begin(), request.descriptors.end());
  const auto moved = out_of_the_way(all);
  if (!moved)
    return tl::unexpected(moved.error());

  spawn_plan plan;
  int as = 0;
  for (const auto& fd : *moved)
    plan.connect(fd.get(), as++);
  plan.close_from(as);

  std::vector<char*> argv;
  for (const auto& word : request.argv)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (const int failure = plan.run(pid, argv.data()); failure != 0)
    return fail(errc::refused, "cannot start " + request.argv[0] + ": " + std::strerror(failure));
  return pid;
}

} // namespace drover
