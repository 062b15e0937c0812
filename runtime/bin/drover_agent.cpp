// drover-agent: the node side, started over the link.
#include "runtime/agent/agent_loop.hpp"
#include "runtime/cluster/delay_text.hpp"
#include "runtime/hypervisor/stream_relay.hpp"
#include "runtime/readiness/asked_words.hpp"
#include "runtime/readiness/node_probe.hpp"
#include "runtime/store/etcd/etcd_file.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace {

using namespace drover;

struct flags {
  std::string node;
  std::string run_dir;
  std::string store;
  std::string store_lag = "0";
  std::string address = "127.0.0.1";
  std::string qemu = "qemu-system-x86_64";
  std::string accel = "auto";
  std::vector<std::string> storages;
  std::uint32_t bandwidth_mib_s = 0;
};

int complain(const std::string& what) {
  std::fprintf(stderr, "drover-agent: %s\n", what.c_str());
  return 1;
}

/// "NAME=PATH" or "NAME=PATH,shared".
bool add_storage(const std::string& text, std::map<std::string, storage_path>& storages) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos)
    return false;
  auto path = text.substr(equals + 1);
  const std::string mark = ",shared";
  storage_path storage;
  if (path.size() > mark.size() && path.ends_with(mark)) {
    storage.reach = storage_reach::shared;
    path.resize(path.size() - mark.size());
  }
  storage.path = path;
  return storages.emplace(text.substr(0, equals), storage).second && !path.empty();
}

result<done> set_store(const flags& f, store_spec& store) {
  const auto colon = f.store.find(':');
  if (colon == std::string::npos)
    return fail(errc::invalid, "--store " + f.store + ": expected KIND:PATH, e.g. pmxcfs:/etc/pve");
  store.kind = f.store.substr(0, colon);
  store.directory = f.store.substr(colon + 1);
  store.node = node_id{f.node};
  const auto lag = parse_delay(f.store_lag);
  if (!lag)
    return fail(errc::invalid, "--store-lag " + f.store_lag + ": " + lag.error().what);
  store.lag = *lag;
  if (store.kind == "etcd") {
    auto file = read_etcd_file(store.directory);
    if (!file)
      return tl::unexpected{file.error()};
    store.reached = std::move(file->reached);
    store.prefix = std::move(file->prefix);
  }
  return done{};
}

/// Tells what the node lacks; false when an agent could not even run there.
bool report_readiness(const flags& f) {
  const auto report =
    probe_node({f.node, f.run_dir, f.store.substr(f.store.find(':') + 1), f.address, f.qemu});
  std::printf("%s\n", to_line(report).c_str());
  std::fflush(stdout);
  return std::all_of(report.items.begin(), report.items.end(), [](const readiness_item& one) {
    return one.ok || (one.name != "run_dir" && one.name != "store");
  });
}

int run(const flags& f, agent_access access) {
  agent_loop_settings s;
  s.access = access;
  s.qemu.node = node_id{f.node};
  s.qemu.run_dir = f.run_dir;
  s.bandwidth_bytes_per_s = std::uint64_t{f.bandwidth_mib_s} * 1024 * 1024;
  s.qemu.migration_address = f.address;
  s.qemu.qemu_binary = f.qemu;
  s.qemu.accel = f.accel == "kvm"   ? acceleration::kvm
                 : f.accel == "tcg" ? acceleration::tcg
                                    : acceleration::automatic;
  for (const auto& text : f.storages)
    if (!add_storage(text, s.qemu.storages))
      return complain("--storage " + text + ": expected NAME=PATH or NAME=PATH,shared, each once");
  if (const auto set = set_store(f, s.store); !set)
    return complain(to_string(set.error()));
  std::error_code problem;
  std::filesystem::create_directories(f.run_dir, problem);
  if (problem)
    return complain("--run-dir " + f.run_dir + ": " + problem.message());
  if (const auto served = run_agent_loop(s); !served)
    return complain(to_string(served.error()));
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  // An agent that starts this says what for, to be seen in the host's list of processes.
  if (argc > 1 && std::string_view{argv[1]} == "--relay")
    return serve_stream_relay(STDIN_FILENO);
  CLI::App app{"The node side of drover; started by drover over the link.", "drover-agent"};
  flags f;
  bool observe = false;
  bool check = false;
  bool as_asked = false;
  app.set_version_flag("--version", "drover-agent " DROVER_VERSION);
  bool stdio = false;
  app.add_flag("--stdio", stdio, "serve standard input and output")->required();
  app.add_flag("--observe", observe, "only look, beside an agent that acts");
  app.add_flag("--check", check, "first tell what this node lacks; only look then");
  app.add_flag(
    "--as-asked", as_asked,
    "for a forced command in authorized_keys: --observe and --check are taken from the command "
    "that was asked for over SSH, and nothing else of it");
  app.add_option("--node", f.node, "this node's name")->required();
  app.add_option("--run-dir", f.run_dir, "this node's directory for sockets and marks")->required();
  app.add_option("--store", f.store, "KIND:PATH, e.g. pmxcfs:/etc/pve, etcd:/etc/drover/etcd.json")
    ->required();
  app.add_option("--store-lag", f.store_lag, "of a lagging store: 100ms, 1ms..5ms, ...");
  app.add_option("--address", f.address, "numeric address for memory streams");
  app.add_option("--qemu", f.qemu, "the QEMU program");
  app.add_option("--accel", f.accel, "auto, tcg or kvm")
    ->check(CLI::IsMember({"auto", "tcg", "kvm"}));
  app.add_option(
    "--bandwidth-mib-s", f.bandwidth_mib_s, "of all streams that leave; 0 = unlimited");
  app.add_option("--storage", f.storages, "NAME=PATH[,shared]; may be given several times")
    ->allow_extra_args(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0)
      return app.exit(e);
    return complain(std::string{e.what()} + "; see drover-agent --help");
  }
  if (const char* original = std::getenv("SSH_ORIGINAL_COMMAND"); as_asked && original != nullptr) {
    const auto asked = read_asked_words(original);
    observe = observe || asked.observe;
    check = check || asked.check;
  }
  if (check && !report_readiness(f))
    return 0;
  return run(f, observe || check ? agent_access::observe : agent_access::control);
}
