#include "runtime/hypervisor/host_probe.hpp"

#include "runtime/base/unique_fd.hpp"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

namespace drover {

namespace fs = std::filesystem;

bool kvm_works() {
  constexpr int stable_version = 12;
  const unique_fd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  return kvm && ::ioctl(kvm.get(), KVM_GET_API_VERSION, 0) == stable_version;
}

std::set<std::string> bridges_here() {
  std::set<std::string> names;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator("/sys/class/net", failure))
    if (std::error_code ignored; fs::exists(entry.path() / "bridge", ignored))
      names.insert(entry.path().filename().native());
  return names;
}

std::map<std::string, storage_root> storage_roots(
  const std::map<std::string, storage_path>& storages) {
  std::map<std::string, storage_root> roots;
  for (const auto& [name, storage] : storages) {
    std::error_code ignored;
    const auto images = storage.path / "images";
    const auto isos = storage.path / "template" / "iso";
    roots[name] = {
      fs::is_directory(images, ignored) ? images : storage.path,
      fs::is_directory(isos, ignored) ? isos : storage.path / "iso", storage.reach};
  }
  return roots;
}

fs::path prepared_run_dir(const fs::path& dir) {
  std::error_code failure;
  const auto path = fs::absolute(dir, failure).lexically_normal();
  if (fs::create_directories(path, failure))
    fs::permissions(path, fs::perms::owner_all, failure);
  return path;
}

} // namespace drover
