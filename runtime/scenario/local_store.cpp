#include "runtime/scenario/local_store.hpp"

#include "runtime/store/lagging_files.hpp"
#include "runtime/store/pmxcfs_files.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace drover {
namespace {

constexpr milliseconds lock_expiry{120'000};

template <class Files>
result<done> create_all(
  const typename Files::options_type& options, const std::map<vm_id, std::string>& texts) {
  auto files = Files::open(options);
  if (!files)
    return tl::unexpected(files.error());
  for (const auto& [vm, text] : texts)
    if (auto created = files->create_config(vm, options.node, text); !created)
      return created;
  return done{};
}

std::map<std::string, std::string> files_below(const std::filesystem::path& store) {
  std::map<std::string, std::string> found;
  std::error_code ignored;
  for (const auto* part : {"nodes", "drover/vm"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store / part, ignored))
      if (entry.is_regular_file(ignored)) {
        std::ifstream file{entry.path()};
        found[std::filesystem::relative(entry.path(), store).string()] = {
          std::istreambuf_iterator<char>{file}, {}};
      }
  return found;
}

} // namespace

result<done> local_store::create_configs(
  const node_id& node, const std::map<vm_id, std::string>& texts) const {
  if (cluster_.store == store_kind::etcd)
    return fail(errc::invalid, "a scenario has a store of its own, and none on etcd");
  if (cluster_.store == store_kind::lagging)
    return create_all<lagging_files>({cluster_.store_path, node, {}, lock_expiry}, texts);
  return create_all<pmxcfs_files>({cluster_.store_path, node, lock_expiry, std::nullopt}, texts);
}

std::map<std::string, std::string> local_store::files() const {
  if (cluster_.store != store_kind::lagging)
    return files_below(cluster_.store_path);
  // Any node's name will do: what stands is nobody's view.
  auto store = lagging_files::open({cluster_.store_path, node_id{"anybody"}, {}, lock_expiry});
  return store ? store->newest_files().value_or(std::map<std::string, std::string>{})
               : std::map<std::string, std::string>{};
}

} // namespace drover
