// drover-agent, but its machines are only numbers: the same loop, desk, guard, store and lines.
#include "runtime/agent/agent_loop.hpp"
#include "tests/system/memory_hypervisor.hpp"

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

/// Called as the real one: `--NAME VALUE` and words without a value.
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
  s.make_hypervisor = [](asio::io_context& loop) {
    return std::make_unique<drover::testing::memory_hypervisor>(loop);
  };
  std::filesystem::create_directories(s.qemu.run_dir);
  const auto served = drover::run_agent_loop(s);
  if (!served)
    std::fprintf(stderr, "%s\n", to_string(served.error()).c_str());
  return served ? 0 : 1;
}
