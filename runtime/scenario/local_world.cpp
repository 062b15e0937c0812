#include "runtime/scenario/local_world.hpp"

#include "runtime/program/agent_command.hpp"
#include "runtime/scenario/local_store.hpp"
#include "runtime/scenario/mortal_controller.hpp"
#include "runtime/scenario/rescue_socket.hpp"
#include "runtime/scenario/room_processes.hpp"
#include "runtime/scenario/strangers.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace drover {
namespace {

using namespace std::chrono_literals;

constexpr auto start_deadline = 60s;
constexpr auto beat_wait = 30s;
/// Starting a QEMU costs some 40 ms of CPU; more at once only makes each one slower.
constexpr std::size_t starts_at_once = 8;
constexpr std::uint64_t beats_to_begin = 3;
constexpr const char* cluster_name = "cluster.json";

result<std::filesystem::path> make_room() {
  // Short, because the paths of unix sockets are.
  std::string name = "/tmp/drover-XXXXXX";
  if (mkdtemp(name.data()) == nullptr)
    return fail(errc::refused, "cannot make a directory in /tmp", std::strerror(errno));
  return name;
}

std::string config_of(
  const scenario_vms& group, vm_id vm, const std::string& socket, const std::string& disk) {
  beacon_vm beacon;
  beacon.name = "beacon-" + to_string(vm);
  beacon.settings = group.settings;
  beacon.observer_socket = socket;
  beacon.disk = disk;
  auto text = beacon_config(beacon).value_or(std::string{});
  return text + config_lines(group);
}

} // namespace

local_world::local_world(const scenario_file& scenario, std::filesystem::path keep)
  : scenario_(scenario), keep_(std::move(keep)) {}

local_world::~local_world() { close(); }

result<std::unique_ptr<local_world>> local_world::open(
  const scenario_file& scenario, std::filesystem::path keep, std::shared_ptr<trace_sink> trace,
  pulse_choice pulse) {
  adopt_orphans();
  std::unique_ptr<local_world> world{new local_world{scenario, std::move(keep)}};
  const auto room = make_room();
  if (!room)
    return tl::unexpected(room.error());
  world->room_ = *room;
  world->cluster_ = local_cluster(scenario, *room);
  std::error_code problem;
  for (const auto* part : {"store", "disks", "beats", "logs"})
    std::filesystem::create_directories(*room / part, problem);
  for (const auto& [id, node] : world->cluster_.nodes)
    std::filesystem::create_directories(node.run_dir, problem);
  if (problem)
    return fail(errc::refused, "cannot make the room's directories", problem.message());
  auto beacons = beacon_watcher::open(*room / "beats");
  if (!beacons)
    return tl::unexpected(beacons.error());
  world->beacons_ = std::move(*beacons);
  if (scenario.link == link_kind::ssh)
    if (auto hosts = world->open_hosts(); !hosts)
      return tl::unexpected<error>(hosts.error());
  if (auto written = world->write_cluster_file(); !written)
    return tl::unexpected<error>(written.error());
  world->trace_ = std::move(trace);
  world->pulse_ = pulse;
  if (auto joined = world->join(); !joined)
    return tl::unexpected<error>(joined.error());
  return world;
}

result<done> local_world::join() {
  auto nodes = fleet::open(cluster_, {fleet_access::control, trace_, room_ / "logs", pulse_});
  if (!nodes)
    return tl::unexpected<error>(nodes.error());
  nodes_ = std::move(*nodes);
  return done{};
}

result<done> local_world::write_cluster_file() const {
  if (!has_mortal_controllers(scenario_))
    return done{};
  std::ofstream file{room_ / cluster_name};
  file << cluster_file_text(cluster_);
  return file.flush() ? result<done>{done{}}
                      : fail(errc::refused, "cannot write the cluster file", room_.string());
}

std::vector<std::string> local_world::command(std::vector<std::string> words) const {
  words.insert(
    words.begin(), {"--cluster", (room_ / cluster_name).string(), "--state-dir",
                    (room_ / "state").string(), "-o", "json"});
  return words;
}

result<done> local_world::open_hosts() {
  const auto agent = agent_program(cluster_);
  if (!agent)
    return tl::unexpected<error>(agent.error());
  std::map<node_id, host_login> logins;
  for (const auto& [id, node] : scenario_.nodes)
    logins.emplace(id, node.login);
  auto hosts = ssh_hosts::open(room_, logins);
  if (!hosts)
    return tl::unexpected<error>(hosts.error());
  hosts_ = std::move(*hosts);
  hosts_->reach(cluster_, *agent);
  std::fprintf(stderr, "drover: %s\n", hosts_->how().c_str());
  return done{};
}

result<done> local_world::start(const std::function<bool()>& stop) {
  if (auto created = create_vms(); !created)
    return created;
  if (auto started = start_vms(stop); !started)
    return started;
  return pause_vms();
}

result<done> local_world::create_vms() {
  for (const auto& group : scenario_.vms) {
    std::map<vm_id, std::string> configs;
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const vm_id vm{group.first.value + i};
      const auto socket = beacons_->watch(vm);
      if (!socket)
        return tl::unexpected(socket.error());
      std::string disk;
      if (group.disk_bytes > 0) {
        const auto file = room_ / "disks" / (to_string(vm) + ".raw");
        std::ofstream{file}.flush();
        std::filesystem::resize_file(file, group.disk_bytes);
        disk = file.string() + ",shared=1";
      }
      configs.emplace(vm, config_of(group, vm, *socket, disk));
    }
    if (auto created = local_store{cluster_}.create_configs(group.node, configs); !created)
      return created;
  }
  return done{};
}

result<done> local_world::start_vms(const std::function<bool()>& stop) {
  std::vector<std::pair<node_id, wire::request_body>> questions;
  for (const auto& group : scenario_.vms)
    for (std::uint32_t i = 0; i < group.count; ++i)
      questions.emplace_back(group.node, wire::start_vm{vm_id{group.first.value + i}});
  for (std::size_t next = 0; next < questions.size(); next += starts_at_once) {
    if (stop())
      return fail(errc::refused, "interrupted while the VMs were started");
    const auto last = std::min(next + starts_at_once, questions.size());
    const std::vector some(
      questions.begin() + static_cast<std::ptrdiff_t>(next),
      questions.begin() + static_cast<std::ptrdiff_t>(last));
    for (const auto& answer : nodes_->call_each(some, start_deadline, some.size()))
      if (!answer)
        return tl::unexpected(answer.error());
  }
  std::set<vm_id> all;
  for (const auto& [vm, report] : beacons_->reports())
    all.insert(vm);
  return wait_for_beats(all, beats_to_begin, beat_wait);
}

/// One after the other, but all from the same beginning: it takes as long as the slowest.
result<done> local_world::wait_for_beats(
  const std::set<vm_id>& vms, std::uint64_t beats, milliseconds patience) {
  const auto before = beacons_->reports();
  for (const auto vm : vms) {
    const auto now = beacons_->report(vm);
    const auto have = now ? now->beats - before.at(vm).beats : 0;
    if (have >= beats)
      continue;
    if (auto came = beacons_->wait_for_beats(vm, beats - have, patience); !came)
      return fail(
        came.error().code, "VM " + to_string(vm) + " does not beat", to_string(came.error()));
  }
  return done{};
}

result<done> local_world::pause_vms() {
  for (const auto& group : scenario_.vms)
    for (std::uint32_t i = 0; group.paused && i < group.count; ++i) {
      const run_files files{cluster_.nodes.at(group.node).run_dir, vm_id{group.first.value + i}};
      if (auto paused = tell_qemu(files.rescue(), R"({"execute":"stop"})"); !paused)
        return paused;
    }
  return done{};
}

result<done> local_world::kill_target_qemu(vm_id vm) { return kill_qemu(vm, stream_role::target); }

result<done> local_world::kill_source_qemu(vm_id vm) { return kill_qemu(vm, stream_role::source); }

result<done> local_world::kill_qemu(vm_id vm, stream_role role) {
  pid_t newest = 0;
  epoch highest;
  for (const auto& [id, node] : cluster_.nodes) {
    const run_files files{node.run_dir, vm};
    const auto mark = files.read_stream();
    if (mark.role != role || mark.number < highest || files.read_pid() == 0)
      continue;
    highest = mark.number;
    newest = files.read_pid();
  }
  if (newest == 0 || kill(newest, SIGKILL) != 0)
    return fail(
      errc::refused,
      (role == stream_role::target ? "no QEMU receives VM " : "no QEMU sends VM ") + to_string(vm));
  return done{};
}

result<done> local_world::send_strangers(const node_id& node, milliseconds span) {
  const auto& at = cluster_.nodes.at(node);
  const auto local = agent_program(cluster_);
  if (!hosts_ && !local)
    return tl::unexpected<error>(local.error());
  const auto came =
    visit_doors(hosts_ ? std::filesystem::path{at.place.agent} : *local, at.run_dir.string(), span);
  if (!came)
    return tl::unexpected<error>(came.error());
  return done{};
}

result<done> local_world::kill_agent(const node_id& node) {
  auto pid = nodes_ ? nodes_->agent_pid(node) : std::nullopt;
  const auto beside = agent_program(cluster_);
  if (!pid && (hosts_ || (!nodes_ && beside)))
    pid = process_running(
      hosts_ ? std::filesystem::path{cluster_.nodes.at(node).place.agent} : *beside,
      cluster_.nodes.at(node).run_dir.string());
  if (!pid || kill(*pid, SIGKILL) != 0)
    return fail(errc::refused, "no agent runs for " + node.value);
  return done{};
}

std::map<std::string, std::string> local_world::snapshot() const {
  std::map<std::string, std::string> seen;
  for (auto& [name, text] : local_store{cluster_}.files())
    seen["store/" + name] = std::move(text);
  for (const auto& [id, node] : cluster_.nodes)
    for (const auto vm : vms_in(node.run_dir))
      seen[id.value + "/" + to_string(vm) + ".pid"] =
        std::to_string(run_files{node.run_dir, vm}.read_pid());
  return seen;
}

void local_world::keep_files() const {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(room_, ignored)) {
    if (!entry.is_regular_file(ignored) || entry.path().extension() == ".raw")
      continue;
    const auto place = keep_ / std::filesystem::relative(entry.path(), room_);
    std::filesystem::create_directories(place.parent_path(), ignored);
    std::filesystem::copy_file(
      entry.path(), place, std::filesystem::copy_options::overwrite_existing, ignored);
  }
  if (cluster_.store != store_kind::lagging)
    return;
  // A store that keeps a log is read as easily as one that keeps the files themselves.
  for (const auto& [name, text] : local_store{cluster_}.files()) {
    const auto place = keep_ / "store" / name;
    std::filesystem::create_directories(place.parent_path(), ignored);
    std::ofstream{place} << text;
  }
}

std::vector<std::string> local_world::close() {
  std::vector<std::string> left;
  if (room_.empty())
    return left;
  nodes_.reset();
  if (!keep_.empty())
    keep_files();
  if (hosts_)
    left = hosts_->close();
  for (const auto pid : end_processes_of(room_))
    left.push_back("process " + std::to_string(pid));
  if (beacons_)
    beacons_->close();
  std::error_code problem;
  std::filesystem::remove_all(room_, problem);
  if (problem)
    left.push_back(room_.string() + ": " + problem.message());
  room_.clear();
  return left;
}

} // namespace drover
