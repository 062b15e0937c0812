// Mounts a directory as a pmxcfs shows itself, and lets it go wrong on command: a FUSE file system
// for tests. Rule: the file system of shim_tree, with the faults of shim_faults in front of it.
//
//   store_shim FILES MOUNT LOCK_EXPIRY_MS
//
// Says "mounted" when it is, then obeys and answers one line after the other (shim_faults.hpp); it
// unmounts and ends with its input.
#define FUSE_USE_VERSION 312

#include "tests/support/shim_faults.hpp"
#include "tests/support/shim_tree.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <fuse.h>
#include <iostream>
#include <string>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <thread>
#include <vector>

namespace {

using namespace drover::testing;

/// FUSE hands its callbacks no more than one pointer.
struct shim {
  shim_tree tree;
  shim_faults faults;
};

shim& here() { return *static_cast<shim*>(fuse_get_context()->private_data); }

/// The node of the agent that asks: what follows --node on its command line.
std::string asking_node() {
  std::ifstream line("/proc/" + std::to_string(fuse_get_context()->pid) + "/cmdline");
  std::string word;
  while (std::getline(line, word, '\0'))
    if (word == "--node")
      return std::getline(line, word, '\0') ? word : std::string{};
  return {};
}

template <class Call>
int answer(shim_call::access kind, bool is_move, Call make) {
  const shim_call call{kind, asking_node(), is_move};
  if (const auto failed = here().faults.before(call); failed != 0)
    return -failed;
  return -here().faults.after(call, make(call));
}

/// A file that was removed or replaced while it was open has no name any more.
template <class Call>
int reading(const char* name, Call make) {
  if (name == nullptr)
    return -ENOENT;
  return answer(shim_call::access::read, false, [&](const shim_call&) { return make(); });
}

template <class Call>
int writing(const char* name, Call make) {
  return name == nullptr ? -ENOENT : answer(shim_call::access::write, false, make);
}

void* begin(fuse_conn_info*, fuse_config* config) {
  // What libfuse 2 gives to a pmxcfs, which asks for nothing else.
  config->entry_timeout = config->attr_timeout = 1.0;
  config->negative_timeout = 0;
  config->hard_remove = 1;
  return fuse_get_context()->private_data;
}

int on_getattr(const char* name, struct stat* facts, fuse_file_info*) {
  return reading(name, [&] { return here().tree.status(name, *facts); });
}

int on_readdir(
  const char* name, void* into, fuse_fill_dir_t fill, off_t, fuse_file_info*, fuse_readdir_flags) {
  return reading(name, [&] {
    std::vector<std::string> names;
    const auto failed = here().tree.names_in(name, names);
    for (const auto& one : names)
      fill(into, one.c_str(), nullptr, 0, fuse_fill_dir_flags{});
    return failed;
  });
}

int on_open(const char* name, fuse_file_info*) {
  return reading(name, [&] { return here().tree.open(name); });
}

int on_read(const char* name, char* into, std::size_t size, off_t offset, fuse_file_info*) {
  std::size_t got = 0;
  const auto failed =
    reading(name, [&] { return here().tree.read(name, into, size, offset, got); });
  return failed != 0 ? failed : static_cast<int>(got);
}

int on_create(const char* name, mode_t, fuse_file_info*) {
  return writing(name, [&](const shim_call&) { return here().tree.create(name); });
}

int on_write(const char* name, const char* text, std::size_t size, off_t offset, fuse_file_info*) {
  const auto failed = writing(name, [&](const shim_call&) {
    return here().tree.write(name, {text, size}, offset);
  });
  return failed != 0 ? failed : static_cast<int>(size);
}

int on_truncate(const char* name, off_t size, fuse_file_info*) {
  return writing(name, [&](const shim_call&) { return here().tree.truncate(name, size); });
}

int on_mkdir(const char* name, mode_t) {
  return writing(
    name, [&](const shim_call& by) { return here().tree.make_directory(name, by.node); });
}

int on_unlink(const char* name) {
  return writing(
    name, [&](const shim_call&) { return here().tree.remove(name, here().faults.stale()); });
}

int on_rmdir(const char* name) {
  return writing(name, [&](const shim_call&) { return here().tree.remove_directory(name); });
}

int on_rename(const char* from, const char* to, unsigned flags) {
  if (flags != 0)
    return -EINVAL;
  return answer(shim_call::access::write, shim_tree::is_move(from, to), [&](const shim_call&) {
    return here().tree.rename(from, to, here().faults.stale());
  });
}

int on_utimens(const char* name, const timespec* times, fuse_file_info*) {
  const bool to_zero = times != nullptr && times[1].tv_nsec == 0 && times[1].tv_sec == 0;
  return writing(
    name, [&](const shim_call& by) { return here().tree.set_times(name, to_zero, by.node); });
}

int on_chmod(const char*, mode_t mode, fuse_file_info*) {
  return (mode & 07777) == 0640 || (mode & 07777) == 0755 ? 0 : -EPERM;
}

int on_chown(const char*, uid_t, gid_t, fuse_file_info*) { return -EPERM; }
int on_link(const char*, const char*) { return -EPERM; }
int on_fsync(const char*, int, fuse_file_info*) { return 0; }

int on_statfs(const char*, struct statvfs* facts) {
  *facts = {};
  facts->f_bsize = facts->f_frsize = 4096;
  facts->f_blocks = facts->f_bfree = facts->f_bavail = 32768;
  facts->f_files = facts->f_ffree = 262144;
  facts->f_namemax = 256;
  return 0;
}

fuse_operations operations() {
  fuse_operations all{};
  all.init = begin;
  all.getattr = on_getattr;
  all.readdir = on_readdir;
  all.open = on_open;
  all.read = on_read;
  all.create = on_create;
  all.write = on_write;
  all.truncate = on_truncate;
  all.mkdir = on_mkdir;
  all.unlink = on_unlink;
  all.rmdir = on_rmdir;
  all.rename = on_rename;
  all.utimens = on_utimens;
  all.chmod = on_chmod;
  all.chown = on_chown;
  all.link = on_link;
  all.fsync = on_fsync;
  all.statfs = on_statfs;
  return all;
}

/// Until the input ends; then nothing hangs any more, and the mount goes.
void obey_input(shim& served, const char* mount_point) {
  std::string line;
  while (std::getline(std::cin, line))
    std::cout << served.faults.obey(line) << std::endl;
  served.faults.obey("clear");
  ::umount2(mount_point, MNT_DETACH);
}

int serve(shim& served, const char* mount_point) {
  const auto all = operations();
  std::array<char*, 3> argv{
    const_cast<char*>("store_shim"), const_cast<char*>("-oallow_other,fsname=store_shim"), nullptr};
  fuse_args args = FUSE_ARGS_INIT(2, argv.data());
  fuse* const session = fuse_new(&args, &all, sizeof all, &served);
  fuse_opt_free_args(&args);
  if (session == nullptr || fuse_mount(session, mount_point) != 0)
    return 1;
  std::thread([&served, mount_point] { obey_input(served, mount_point); }).detach();
  fuse_set_signal_handlers(fuse_get_session(session));
  std::cout << "mounted" << std::endl;
  fuse_loop_config* const loop = fuse_loop_cfg_create();
  // Calls that hang hold a thread each.
  fuse_loop_cfg_set_max_threads(loop, 256);
  fuse_loop_mt(session, loop);
  fuse_loop_cfg_destroy(loop);
  ::umount2(mount_point, MNT_DETACH);
  // The reader of the input may be in the middle of a line; nothing is left that could be lost.
  std::_Exit(0);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("store_shim FILES MOUNT LOCK_EXPIRY_MS\n", stderr);
    return 2;
  }
  // Without its test the input ends, and so does this; unless it is stuck, which this ends as well.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  shim served{{argv[1], std::chrono::milliseconds{std::stol(argv[3])}}, {}};
  served.faults.on_remember = [&served] { served.tree.remember(); };
  served.faults.on_rollback = [&served] { served.tree.roll_back(); };
  return serve(served, argv[2]);
}
