#include "runtime/readiness/node_probe.hpp"

#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/binary_probe.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace drover {
namespace {

constexpr mode_t everybody = 0007;

std::string user_name() {
  const auto* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? std::to_string(::geteuid()) : entry->pw_name;
}

readiness_item has(std::string name, std::string found) {
  return {std::move(name), true, std::move(found), {}};
}

readiness_item lacks(std::string name, std::string found, std::string mend) {
  return {std::move(name), false, std::move(found), std::move(mend)};
}

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

/// The path itself, or the part of it that exists.
std::filesystem::path existing_part(std::filesystem::path path) {
  std::error_code ignored;
  while (path.has_relative_path() && !std::filesystem::exists(path, ignored))
    path = path.parent_path();
  return path;
}

readiness_item probe_qemu(const std::string& binary) {
  binary_probe probe{binary};
  const auto& facts = probe.facts();
  if (!facts)
    return lacks(
      "qemu", facts.error().what, "apt-get install --no-install-recommends qemu-system-x86");
  const auto& fault = facts->encryption_fault;
  return has(
    "qemu", binary + " " + facts->version +
              (fault.empty() ? "" : ", which cannot encrypt a stream (" + fault + ")"));
}

readiness_item probe_store(const std::filesystem::path& store, const std::string& node) {
  // The file that tells how an etcd is reached; what is in it the agent finds out.
  std::error_code ignored;
  if (std::filesystem::is_regular_file(store, ignored))
    return ::access(store.c_str(), R_OK) == 0
             ? has("store", store.string())
             : lacks(
                 "store", user_name() + " may not read " + store.string(),
                 "setfacl -m u:" + user_name() + ":r " + store.string());
  if (!is_there(store))
    return lacks(
      "store", "there is no directory " + store.string(),
      "mount the cluster's store at " + store.string() +
        " (Proxmox VE: systemctl start pve-cluster)");
  for (const auto& part : {store / "nodes" / node / "qemu-server", store / "drover"}) {
    const auto there = existing_part(part);
    if (::access(there.c_str(), R_OK | W_OK | X_OK) != 0)
      return lacks(
        "store", user_name() + " may not write in " + there.string(),
        "setfacl -R -m u:" + user_name() + ":rwX,d:u:" + user_name() + ":rwX " + there.string());
  }
  return has("store", store.string());
}

readiness_item probe_run_dir(const std::filesystem::path& run_dir) {
  const auto mend = "install -d -o " + user_name() + " -m 0750 " + run_dir.string();
  struct stat seen {};
  if (::stat(run_dir.c_str(), &seen) != 0) {
    const auto parent = existing_part(run_dir);
    if (::access(parent.c_str(), W_OK | X_OK) != 0)
      return lacks("run_dir", "there is no " + run_dir.string(), mend);
    return has("run_dir", run_dir.string() + " (the agent will make it)");
  }
  if (!S_ISDIR(seen.st_mode))
    return lacks("run_dir", run_dir.string() + " is no directory", mend);
  if (::access(run_dir.c_str(), R_OK | W_OK | X_OK) != 0)
    return lacks("run_dir", user_name() + " may not write in " + run_dir.string(), mend);
  if ((seen.st_mode & everybody) != 0)
    return lacks(
      "run_dir", "everybody may look into " + run_dir.string(), "chmod o-rwx " + run_dir.string());
  return has("run_dir", run_dir.string());
}

/// Numeric, without the loopback ones.
std::string addresses_here() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0)
    return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner{list, ::freeifaddrs};
  std::string text;
  for (const auto* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET)
      continue;
    sockaddr_in address{};
    std::memcpy(&address, one->ifa_addr, sizeof address);
    std::array<char, INET_ADDRSTRLEN> number{};
    ::inet_ntop(AF_INET, &address.sin_addr, number.data(), number.size());
    if (const std::string_view word{number.data()}; !word.starts_with("127."))
      text += (text.empty() ? "" : ", ") + std::string{word};
  }
  return text;
}

/// 0 or an errno: whether a socket may have this address here.
int bind_to(const std::string& text) {
  sockaddr_storage place{};
  socklen_t size = 0;
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    std::memcpy(&place, &four, size = sizeof four);
  } else if (::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    std::memcpy(&place, &six, size = sizeof six);
  } else {
    return EINVAL;
  }
  const unique_fd socket{::socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&place), size) == 0 ? 0 : errno;
}

readiness_item probe_address(const std::string& address, const std::string& node) {
  if (const int problem = bind_to(address); problem != 0)
    return lacks(
      "migration_address", address + " is not an address of this host: " + std::strerror(problem),
      "set nodes." + node +
        ".migration_address in the cluster file to one of: " + addresses_here());
  return has("migration_address", address);
}

} // namespace

readiness_report probe_node(const probe_settings& of) {
  return {
    DROVER_VERSION,
    {probe_qemu(of.qemu), probe_store(of.store, of.node),
     probe_address(of.migration_address, of.node), probe_run_dir(of.run_dir)}};
}

} // namespace drover
