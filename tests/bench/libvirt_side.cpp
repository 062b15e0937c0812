#include "tests/bench/libvirt_side.hpp"

#include "runtime/guest/beacon_args.hpp"
#include "tests/bench/interruption.hpp"
#include "tests/support/run_program.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <thread>
#include <unistd.h>

namespace drover::bench {

using namespace std::chrono_literals;

namespace {

constexpr const char* daemon_program = "/usr/sbin/libvirtd";

/// $1: the daemon's directory, $2: its host name, $3: its host's UUID. The daemon wants a user
/// "libvirt-qemu" in its defaults, although the QEMUs run as root.
constexpr const char* daemon_script = R"(set -e
dir=$1
mount --make-rprivate /
for part in run lib cache log etc; do mkdir -p "$dir/$part"; done
mkdir -p /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt
mount --bind "$dir/run" /run/libvirt
mount --bind "$dir/lib" /var/lib/libvirt
mount --bind "$dir/cache" /var/cache/libvirt
mount --bind "$dir/log" /var/log/libvirt
mount --bind "$dir/etc" /etc/libvirt
for file in passwd group; do cp "/etc/$file" "$dir/$file"; done
grep -q ^libvirt-qemu: "$dir/passwd" ||
  echo libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin >> "$dir/passwd"
grep -q ^libvirt-qemu: "$dir/group" || echo libvirt-qemu:x:64055: >> "$dir/group"
mount --bind "$dir/passwd" /etc/passwd
mount --bind "$dir/group" /etc/group
hostname "$2"
cat > "$dir/etc/libvirtd.conf" << END
unix_sock_dir = "$dir/run"
auth_unix_rw = "none"
auth_unix_ro = "none"
host_uuid = "$3"
max_clients = 1000
max_workers = 50
max_client_requests = 100
END
cat > "$dir/etc/qemu.conf" << END
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
cgroup_controllers = [ ]
namespaces = [ ]
remember_owner = 0
dynamic_ownership = 0
migration_port_max = 49951
END
exec /usr/sbin/libvirtd -f "$dir/etc/libvirtd.conf" -p "$dir/run/pid"
)";

std::string domain_of(const std::string& name) {
  std::ostringstream text;
  text << "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>"
       << name
       << "</name><memory unit='KiB'>2056</memory><vcpu>1</vcpu>"
          "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>"
          "<loader readonly='yes' type='rom'>"
       << beacon_image_path()
       << "</loader></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
          "<controller type='usb' model='none'/><memballoon model='none'/></devices>"
          "<qemu:commandline>";
  // As a beacon that beats once a second and dirties a page; the map is in beacon.S.
  for (const auto* word :
       {"-accel", "tcg,tb-size=1", "-machine", "smm=off,vmport=off,hpet=off", "-device",
        "loader,addr=0x600,data=1,data-len=4", "-device", "loader,addr=0x604,data=1,data-len=4",
        "-device", "loader,addr=0x608,data=64,data-len=4"})
    text << "<qemu:arg value='" << word << "'/>";
  text << "</qemu:commandline></domain>\n";
  return text.str();
}

/// Two hosts and the domains of the first; everything ends with it.
class libvirt_pair {
public:
  libvirt_pair() : directory_("/dev/shm") {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (const auto& [host, uuid] : std::map<std::string, std::string>{
           {"a", "3f0c1a52-7b1e-4c57-9d55-000000000001"},
           {"b", "3f0c1a52-7b1e-4c57-9d55-000000000002"}}) {
      std::filesystem::create_directories(directory_.path() / host);
      daemons_.push_back(std::make_unique<testing::running_program>(std::vector<std::string>{
        "unshare", "--mount", "--uts", "sh", "-c", daemon_script, "sh",
        (directory_.path() / host).string(), "bench-" + host, uuid}));
    }
    for (const auto* host : {"a", "b"})
      wait_for(host);
  }

  ~libvirt_pair() {
    daemons_.clear();
    for (const auto pid : testing::processes_with(mark()))
      kill(pid, SIGKILL);
    for (int left = 200; left > 0 && !testing::processes_with(mark()).empty(); --left)
      std::this_thread::sleep_for(10ms);
  }
  libvirt_pair(const libvirt_pair&) = delete;
  libvirt_pair& operator=(const libvirt_pair&) = delete;

  std::string uri(const std::string& host) const {
    return "qemu:///system?socket=" + (directory_.path() / host / "run/libvirt-sock").string();
  }
  std::string mark() const { return directory_.path().filename().string(); }
  std::string vm(int number) const { return mark() + "-" + std::to_string(number); }

  std::vector<std::string> virsh(const std::string& host, std::vector<std::string> words) const {
    words.insert(words.begin(), {"virsh", "-q", "-c", uri(host)});
    return words;
  }

  void start(int vms) const {
    std::string commands;
    for (int i = 0; i < vms; ++i) {
      const auto file = directory_.path() / (vm(i) + ".xml");
      std::ofstream{file} << domain_of(vm(i));
      commands += "create " + file.string() + "; ";
    }
    const auto started = testing::run_program(virsh("a", {commands}), 900s);
    if (started.exit_code != 0)
      throw std::runtime_error("libvirt does not start its VMs: " + started.err);
  }

  const std::vector<std::unique_ptr<testing::running_program>>& daemons() const { return daemons_; }
  /// What its QEMUs have used so far, those that have ended too.
  double qemu_seconds() const {
    double seconds = reaper_.seconds();
    for (const auto& [pid, used] : qemus_of(mark()))
      seconds += used;
    return seconds;
  }
  double reaped_seconds() const { return reaper_.seconds(); }

private:
  void wait_for(const std::string& host) const {
    for (int looks = 0; looks < 150; ++looks) {
      if (testing::run_program(virsh(host, {"hostname"}), 10s).exit_code == 0)
        return;
      std::this_thread::sleep_for(200ms);
    }
    throw std::runtime_error("libvirtd does not start");
  }

  testing::temporary_directory directory_;
  noted_directory noted_{directory_.path()};
  qemu_reaper reaper_; ///< A daemon waits until its QEMUs are gone, which are nobody's children.
  std::vector<std::unique_ptr<testing::running_program>> daemons_;
};

using stamps = std::map<std::string, double>; ///< by VM

/// "event STOP at 1795446809.914410 for domain 'v1': <null>"
stamps stamps_in(const std::string& text) {
  stamps all;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::array<std::string, 7> word;
    for (auto& one : word)
      words >> one;
    if (word[0] == "event" && word[6].size() > 3)
      all[word[6].substr(1, word[6].size() - 3)] = std::stod(word[3]);
  }
  return all;
}

/// One virsh for each stream, each with its share of the VMs.
std::vector<std::string> shares_of(const libvirt_pair& hosts, int vms, int streams) {
  std::vector<std::string> shares(static_cast<std::size_t>(streams));
  for (int i = 0; i < vms; ++i)
    shares[static_cast<std::size_t>(i % streams)] +=
      "migrate --live --migrateuri tcp:127.0.0.1 " + hosts.vm(i) + " " + hosts.uri("b") + "; ";
  return shares;
}

double move_all(const libvirt_pair& hosts, int vms, int streams) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<testing::running_program>> movers;
  for (const auto& share : shares_of(hosts, vms, streams))
    movers.push_back(std::make_unique<testing::running_program>(hosts.virsh("a", {share})));
  for (auto& mover : movers)
    mover->finish(900s);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class daemon_use {
public:
  explicit daemon_use(const libvirt_pair& hosts) {
    for (const auto& one : hosts.daemons())
      before_[one->pid()] = processor_seconds(one->pid());
  }
  used_resources end() const {
    used_resources used;
    for (const auto& [pid, before] : before_) {
      used.agents_s += processor_seconds(pid) - before;
      used.agent_bytes = std::max(used.agent_bytes, peak_bytes(pid));
    }
    return used;
  }

private:
  std::map<pid_t, double> before_;
};

} // namespace

std::optional<std::string> absence_of_libvirt() {
  if (::access(daemon_program, X_OK) != 0 || ::access("/usr/bin/virsh", X_OK) != 0)
    return "it is not installed (libvirt-daemon, libvirt-daemon-driver-qemu, libvirt-clients)";
  if (::geteuid() != 0)
    return "its namespaces need root";
  return std::nullopt;
}

round_figures play_libvirt(const bench_point& at) {
  const libvirt_pair hosts;
  hosts.start(at.vms);
  testing::running_program stops{
    hosts.virsh("a", {"qemu-monitor-event", "--loop", "--event", "STOP"})};
  testing::running_program resumes{
    hosts.virsh("b", {"qemu-monitor-event", "--loop", "--event", "RESUME"})};
  const daemon_use daemons{hosts};
  const double qemus_before = hosts.qemu_seconds();
  const double others_before = processor_seconds_of_ended_children() - hosts.reaped_seconds();
  round_figures figures;
  figures.makespan_s = move_all(hosts, at.vms, streams_at_once(at));
  figures.used = daemons.end();
  figures.used.controller_s =
    processor_seconds_of_ended_children() - hosts.reaped_seconds() - others_before;
  figures.qemu_s = hosts.qemu_seconds() - qemus_before;
  const auto vms = static_cast<std::size_t>(at.vms);
  stamps resumed;
  resumes.wait_until(
    [&](const auto& seen) {
      resumed = stamps_in(seen.out);
      return resumed.size() >= vms;
    },
    5s);
  stamps stopped;
  stops.wait_until(
    [&](const auto& seen) {
      stopped = stamps_in(seen.out);
      return stopped.size() >= vms;
    },
    5s);
  for (const auto& [vm, end] : resumed)
    if (const auto begin = stopped.find(vm); begin != stopped.end())
      figures.pauses_s.push_back(end - begin->second);
  figures.failed = at.vms - static_cast<int>(figures.pauses_s.size());
  return figures;
}

} // namespace drover::bench
