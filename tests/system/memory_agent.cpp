// drover-agent, but its machines are only numbers: the same loop, desk, guard, store and lines.
#include "runtime/agent/agent_loop.hpp"
#include "tests/system/memory_hypervisor.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace {

std::map<drover::vm_id, std::string> configs_in(const std::filesystem::path& folder) {
  std::map<drover::vm_id, std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    std::ifstream file{entry.path()};
    const auto number = static_cast<std::uint32_t>(std::stoul(entry.path().stem()));
    all[drover::vm_id{number}].assign(std::istreambuf_iterator<char>{file}, {});
  }
  return all;
}

} // namespace

/// Called as the real one: `--NAME VALUE` and words without a value. Where its run directory holds
/// a file "all-run", every VM of the node runs already.
int main(int argc, char** argv) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string{argv[i]}.starts_with("--"))
      flags[argv[i]] = argv[i + 1];
  const auto store = flags["--store"];
  drover::agent_loop_settings s;
  s.qemu.node = drover::node_id{flags["--node"]};
  s.qemu.run_dir = flags["--run-dir"];
  s.store.kind = store.substr(0, store.find(':'));
  s.store.directory = store.substr(store.find(':') + 1);
  s.store.node = s.qemu.node;
  s.make_hypervisor = [&s](asio::io_context& loop) {
    auto machines = std::make_unique<drover::testing::memory_hypervisor>(loop);
    if (std::filesystem::exists(s.qemu.run_dir / "all-run"))
      machines->run_already(
        configs_in(s.store.directory / "nodes" / s.qemu.node.value / "qemu-server"));
    return machines;
  };
  std::filesystem::create_directories(s.qemu.run_dir);
  const auto served = drover::run_agent_loop(s);
  if (!served)
    std::fprintf(stderr, "%s\n", to_string(served.error()).c_str());
  return served ? 0 : 1;
}
