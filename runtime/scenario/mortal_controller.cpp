#include "runtime/scenario/mortal_controller.hpp"

#include "runtime/base/time.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/spawn.hpp"
#include "runtime/program/agent_command.hpp"
#include "runtime/scenario/room_processes.hpp"
#include "runtime/wire/json_reader.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace drover {
namespace {

class death final : public trace_sink {
public:
  death(event_condition at, std::filesystem::path agent, std::vector<std::string> run_dirs)
    : at_(std::move(at)), agent_(std::move(agent)), run_dirs_(std::move(run_dirs)) {}

  void take(const trace_event& event) override {
    const std::lock_guard guard{mutex_};
    // Before the moment itself, in which nothing is searched for any more.
    if (agents_.empty() && std::holds_alternative<evacuation_started>(event.body))
      find_agents();
    if (!at_.take(event))
      return;
    if (agents_.empty())
      find_agents();
    for (const auto pid : agents_)
      ::kill(pid, SIGKILL);
    ::kill(::getpid(), SIGKILL);
  }

private:
  void find_agents() {
    for (const auto& dir : run_dirs_)
      if (const auto pid = process_running(agent_, dir))
        agents_.push_back(*pid);
  }

  std::mutex mutex_;
  event_counter at_;
  const std::filesystem::path agent_;
  const std::vector<std::string> run_dirs_;
  std::vector<pid_t> agents_;
};

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string bytes(std::uint64_t count) { return std::to_string(count) + "B"; }

} // namespace

luck luck_of_the_moment() {
  const auto now = static_cast<std::uint64_t>(wall_now().time_since_epoch().count());
  return luck{now ^ luck::mixed(static_cast<std::uint64_t>(::getpid()))};
}

result<std::shared_ptr<trace_sink>> death_of(const options& o) {
  const auto* evacuate = std::get_if<evacuate_options>(&o.command);
  if (evacuate == nullptr || evacuate->die_at.empty())
    return std::shared_ptr<trace_sink>{};
  const auto document = wire::parse_json(evacuate->die_at);
  if (!document)
    return tl::unexpected<error>(document.error());
  wire::object_reader from(*document, "--die-at");
  const auto condition = read_event_condition(from);
  if (auto read = from.finish(); !read)
    return tl::unexpected<error>(read.error());
  const auto cluster = read_cluster_file(o.cluster_file);
  if (!cluster)
    return tl::unexpected<error>(cluster.error());
  const auto agent = agent_program(*cluster);
  if (!agent)
    return tl::unexpected<error>(agent.error());
  std::vector<std::string> run_dirs;
  for (const auto& node : evacuate->die_with)
    if (const auto known = cluster->nodes.find(node); known != cluster->nodes.end())
      run_dirs.push_back(known->second.run_dir.string());
  auto chance = luck_of_the_moment();
  return std::make_shared<death>(drawn(condition, chance), *agent, std::move(run_dirs));
}

std::vector<std::string> command_words(const action::evacuate& what) {
  std::vector<std::string> words{
    "evacuate", what.node.value, "--policy", std::string{to_string(what.how)}};
  for (const auto& target : what.targets)
    words.insert(words.end(), {"--to", target.value});
  if (!what.killed_at)
    return words;
  words.insert(words.end(), {"--die-at", to_json(*what.killed_at).dump()});
  for (const auto& node : what.killed_agents)
    words.insert(words.end(), {"--die-with", node.value});
  return words;
}

std::string cluster_file_text(const cluster_file& cluster) {
  const auto limits_of = [](const node_limits& l) {
    return nlohmann::json{{"prepare", l.prepare}, {"inbound", l.inbound}, {"streams", l.streams}};
  };
  nlohmann::json nodes;
  for (const auto& [name, node] : cluster.nodes) {
    auto& to = nodes[name.value];
    to = {
      {"run_dir", node.run_dir.string()},
      {"memory", bytes(node.memory_bytes)},
      {"reserve", bytes(node.reserve_bytes)},
      {"limits", limits_of(node.limits)}};
    if (node.bandwidth_mib_s > 0)
      to["bandwidth_mib_s"] = node.bandwidth_mib_s;
  }
  nlohmann::json storages;
  for (const auto& [name, storage] : cluster.storages)
    storages[name] = {{"path", storage.path.string()}, {"shared", storage.shared}};
  return nlohmann::json{
    {"name", cluster.name},
    {"store", {{"path", cluster.store_path.string()}}},
    {"nodes", nodes},
    {"storages", storages},
    {"limits", {{"cluster", cluster.limits.cluster}, {"windows", cluster.limits.windows}}},
    {"stream", cluster.stream == stream_kind::plain ? "plain" : "tls"},
    {"channels", cluster.channels},
    {"accel", cluster.accel}}
    .dump(2);
}

run_result result_told(const ended_controller& ended) {
  run_result r;
  r.code = static_cast<outcome_code>(ended.exit_code);
  const auto told = nlohmann::json::parse(ended.output, nullptr, false);
  if (!told.is_object() || !told.contains("moved")) {
    r.message = ended.output;
    return r;
  }
  r.moved = told.value("moved", 0U);
  r.duration_s = told.value("duration_s", 0.0);
  r.message = told.value("message", std::string{});
  for (const auto& s : told.value("stayed", nlohmann::json::array()))
    r.stayed.push_back({vm_id{s.value("vmid", 0U)}, s.value("reason", std::string{})});
  return r;
}

result<ended_controller> controller_process::run(std::vector<std::string> words) {
  const auto open = [this](const char* end) {
    return unique_fd{
      ::open((log_.string() + end).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  };
  const auto output = open(".out");
  const auto errors = open(".err");
  words.insert(words.begin(), "/proc/self/exe");
  const auto pid = spawn({std::move(words), -1, output.get(), errors.get(), {}});
  if (!pid)
    return tl::unexpected<error>(pid.error());
  pid_ = *pid;
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  ended_controller ended;
  ended.was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ended.output = text_of(log_.string() + ".out");
  if (ended.output.empty() && !ended.was_killed)
    ended.output = text_of(log_.string() + ".err");
  return ended;
}

void controller_process::interrupt() {
  if (const auto pid = pid_.load(); pid != 0)
    ::kill(pid, SIGINT);
}

} // namespace drover
