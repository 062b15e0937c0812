#include "tests/tidy/bans.hpp"

#include "tests/tidy/source_text.hpp"

#include <algorithm>
#include <regex>
#include <string_view>
#include <vector>

namespace drover::tidy {
namespace {

struct ban {
  std::string_view name;
  std::regex pattern;
  std::string_view remedy;
  /// Also in tests, where a run must not depend on luck or hide a failure.
  bool in_tests = false;
};

const std::vector<ban>& bans() {
  static const std::vector<ban> table{
    {"clock",
     std::regex{R"(\b(system_clock|steady_clock|high_resolution_clock)::now\b)"
                R"(|\b(clock_gettime|gettimeofday)\s*\(|\btime\s*\(\s*(nullptr|NULL|0)\s*\))"
                R"(|(^|[^.>\w])(monotonic_now|wall_now)\s*\()"},
     "take `now` as an argument; only shells, drivers and programs read runtime/base/time.hpp"},
    {"luck", std::regex{R"(\b(s?rand|[dlm]rand48|getrandom|getentropy)\s*\(|\brandom_device\b)"},
     "take the seed or the drawn value as an argument", true},
    {"sleep", std::regex{R"(\b(sleep_for|sleep_until|nanosleep|usleep)\s*\(|\bsleep\s*\(\s*\d)"},
     "arm a timer (runtime/base/timers.hpp) or wait for the event itself"},
    {"thread",
     std::regex{R"(\bstd::(thread|jthread|async)\b(?!::)|\bpthread_create\b)"
                R"(|#\s*include\s*<thread>)"},
     "only drivers own threads; post the result to whoever waits for it"},
    {"lock",
     std::regex{R"(\bstd::((recursive_|shared_|timed_)?mutex|condition_variable(_any)?)\b)"
                R"(|\bstd::(lock_guard|scoped_lock|unique_lock|shared_lock)\b)"},
     "pure code and actors share nothing; only drivers and observers lock"},
    {"environment", std::regex{R"(\b(secure_)?getenv\s*\()"},
     "take the value as an argument, read in runtime/bin"},
    {"file",
     std::regex{R"(\bstd::([io]?fstream\b|filesystem\b(?!::path\b))|\bfopen\s*\()"
                R"(|(^|[^\w:.>])::open\s*\()"},
     "pure code takes text; only drivers and programs read files"},
    {"stream", std::regex{R"(#\s*include\s*<iostream>|\bstd::(cout|cerr|clog|cin)\b)"},
     "emit a trace event, return the text, or print in runtime/bin"},
    {"assert", std::regex{R"((^|[^\w])assert\s*\()"},
     "use DROVER_CHECK (runtime/base/check.hpp): it holds in every build", true},
  };
  return table;
}

struct allowance {
  std::string_view path; ///< a folder, a file, or a file pair without its extension
  std::vector<std::string_view> bans;
  std::string_view reason;
};

/// Drivers, observers and programs. Everything that is not listed here is pure or a shell.
const std::vector<allowance>& allowances() {
  static const std::vector<allowance> table{
    {"runtime/base/time", {"clock"}, "the one place that reads the host's clocks"},
    {"runtime/base/event_queue", {"clock"}, "it is a clock: its own, virtual one"},
    {"runtime/sim/campaign", {"clock"}, "tells how long the seeds took"},
    {"runtime/sim/sim_run",
     {"clock", "file"},
     "tells what a VM costs; reads and writes golden traces"},
    {"runtime/wire/trace_file", {"thread", "lock", "file"}, "writes the trace beside the flow"},
    {"runtime/store/call_queue",
     {"clock", "thread", "lock"},
     "store calls can hang, so they have "
     "their own thread and are timed"},
    {"runtime/store/etcd/etcd_calls", {"luck"}, "a name that no other process has"},
    {"runtime/store/etcd/etcd_client", {"clock"}, "how long a member has been silent"},
    {"runtime/store/etcd/etcd_commit",
     {"clock", "sleep", "thread"},
     "blocks its own thread behind the queue until a member answers"},
    {"runtime/store/etcd/etcd_file", {"file"}, "reads the file of a node"},
    {"runtime/store/etcd/etcd_watcher",
     {"clock", "lock", "thread"},
     "a watch is a thread of its own, and its mirror is shared with the caller"},
    {"runtime/store/file_calls", {"file"}, "the calls themselves"},
    {"runtime/store/pmxcfs_errors", {"clock"}, "an error's meaning depends on how long it took"},
    {"runtime/store/pmxcfs_locks", {"clock"}, "a lease runs on the host's clock"},
    {"runtime/store/queued_store", {"clock"}, "times its operations for the trace"},
    {"runtime/store/lagging_files", {"clock"}, "what is written has a time, and is seen later"},
    {"runtime/store/log_file", {"file"}, "the file that the processes of one machine share"},
    {"runtime/hypervisor/binary_probe", {"environment"}, "finds QEMU in PATH, as a shell would"},
    {"runtime/link/child_process", {"file"}, "opens the child's error log"},
    {"runtime/link/link_loop", {"thread"}, "the one thread of all links"},
    {"runtime/link/ssh/helper_threads",
     {"thread", "lock"},
     "what may block has threads of its own"},
    {"runtime/link/ssh/host_files", {"file"}, "known_hosts and identity files"},
    {"runtime/link/ssh/host_trust", {"clock"}, "has deadlines, and no loop"},
    {"runtime/link/ssh/ssh_pipe", {"clock", "file"}, "measures silence; keeps the agent's log"},
    {"runtime/hypervisor/host_probe", {"file"}, "reads /proc and /sys"},
    {"runtime/hypervisor/qemu_machine_end", {"clock"}, "stamps QEMU's events"},
    {"runtime/hypervisor/qemu_machine_stream", {"clock"}, "stamps QEMU's events"},
    {"runtime/hypervisor/qemu_machine_stream_end", {"clock"}, "stamps QEMU's events"},
    {"runtime/hypervisor/stream_relay", {"clock"}, "bounds what a network may take for the rest"},
    {"runtime/hypervisor/machine_process", {"file"}, "reads /proc"},
    {"runtime/hypervisor/run_files", {"file"}, "the files of a machine's run directory"},
    {"runtime/hypervisor/spawn", {"file"}, "opens the new process' log"},
    {"runtime/hypervisor/stream_key", {"luck"}, "keys and tokens must not be guessed"},
    {"runtime/hypervisor/tap", {"file"}, "opens the tun device"},
    {"runtime/hypervisor/urgency",
     {"thread", "file"},
     "tries a policy out on a thread that it may cost; reads /proc"},
    {"runtime/agent/file_mark_store", {"file"}, "run marks are files of the node"},
    {"runtime/agent/agent_loop", {"clock", "thread", "file"}, "asks the host who and what it is"},
    {"runtime/agent/node_lock", {"file"}, "the lock is a file"},
    {"runtime/bin/drover_agent",
     {"file", "environment"},
     "makes the run directory; hears from sshd what was asked for"},
    {"runtime/readiness/node_probe", {"file"}, "looks at the node's files"},
    {"runtime/cluster/text_file", {"file"}, "reads the files that an operator names"},
    {"runtime/journal/journal_writer", {"thread", "lock"}, "writes beside the flow"},
    {"runtime/journal/sqlite_journal", {"lock", "file"}, "the journal is a file"},
    {"runtime/guest/beacon_watcher",
     {"clock", "thread", "lock", "file"},
     "reads the beacons' ports on its own thread and stamps what it reads"},
    {"actors/protocol.hpp", {"clock"}, "stamps the trace events of all shells"},
    {"metrics/exposer", {"thread", "lock"}, "a server has a thread for each who asks"},
    {"metrics/grafana/generate", {"file"}, "writes the dashboards"},
    {"metrics/metrics_file", {"thread", "lock", "file"}, "writes the series beside the flow"},
    {"metrics/page/run_history", {"lock"}, "takes events from any thread"},
    {"metrics/recorder", {"lock"}, "takes events from any thread"},
    {"runtime/program/agent_command", {"file"}, "finds the agent beside the program"},
    {"runtime/program/exposure", {"clock"}, "tells when the series began"},
    {"runtime/program/fleet", {"clock", "lock"}, "hands replies from the links' thread over"},
    {"runtime/program/interrupts", {"thread", "lock"}, "waits for signals on a thread"},
    {"runtime/program/node_check", {"clock", "lock"}, "asks all nodes and compares clocks"},
    {"runtime/program/link_scheduler", {"lock"}, "is given work from any thread"},
    {"runtime/program/node_links", {"environment"}, "finds the ssh-agent, as ssh would"},
    {"runtime/program/past_runs", {"file"}, "past runs are files of the user"},
    {"runtime/program/node_claim", {"clock"}, "whoever has the node is waited for so long"},
    {"runtime/program/process_lock", {"file"}, "the lock is a file"},
    {"runtime/program/running_files", {"file"}, "what runs have left are files"},
    {"runtime/program/run_log", {"clock", "file"}, "stamps what it writes down"},
    {"runtime/program/state_directory", {"file", "environment"}, "finds the user's directory"},
    {"runtime/program/background", {"file"}, "what a run in the background prints is a file"},
    {"runtime/program/conduct", {"clock", "file"}, "stamps the run"},
    {"runtime/program/control_client",
     {"clock"},
     "a run that does not answer is waited for so long"},
    {"runtime/program/control_commands", {"clock"}, "stamps what it ends in the journal"},
    {"runtime/program/control_server",
     {"clock", "thread", "lock", "file"},
     "a socket that is served beside the run"},
    {"runtime/program/move_commands", {"clock", "file"}, "stamps the run"},
    {"runtime/program/resume_command", {"clock"}, "waits until what was left has come to its end"},
    {"runtime/program/run_control", {"lock", "file"}, "is asked on the socket's thread"},
    {"runtime/program/workplace", {"clock"}, "stamps what it has looked at"},
    {"runtime/program/passphrase_prompt", {"file"}, "opens the terminal"},
    {"runtime/program/traced_link", {"clock"}, "stamps what it sees of a link"},
    {"runtime/program/progress",
     {"lock", "environment"},
     "takes events from any thread; asks whether the terminal is one"},
    {"runtime/program/recovery",
     {"clock", "sleep", "thread"},
     "looks again until the agents are done"},
    {"runtime/program/run_report", {"file"}, "a report is files"},
    {"runtime/program/trace_relay",
     {"thread", "lock"},
     "keeps what watches away from what is watched"},
    {"runtime/scenario/action_triggers", {"clock", "lock"}, "actions are due on the host's clock"},
    {"runtime/scenario/host_network",
     {"sleep", "thread", "file"},
     "hosts are namespaces, and what runs there ends without telling anybody"},
    {"runtime/scenario/ssh_hosts",
     {"clock", "sleep", "thread", "lock", "file"},
     "starts sshds, which tell in their log that they listen"},
    {"runtime/scenario/strangers",
     {"clock", "sleep", "thread", "file"},
     "leaves for another network on a thread of its own, and reads /proc"},
    {"runtime/scenario/tool_run", {"file"}, "keeps what the tool prints"},
    {"runtime/scenario/local_store", {"file"}, "reads the store beside the agents"},
    {"runtime/scenario/local_world", {"file"}, "a throw-away cluster is a directory"},
    {"runtime/scenario/mortal_controller",
     {"clock", "lock", "file"},
     "processes, what they print, and a luck that no seed chooses"},
    {"runtime/scenario/pause_audit", {"lock"}, "takes events from any thread"},
    {"runtime/scenario/room_processes",
     {"sleep", "thread", "file"},
     "processes of killed agents end without telling anybody"},
    {"runtime/scenario/scenario_paths", {"file"}, "a folder stands for the scenarios in it"},
    {"runtime/scenario/scenario_player",
     {"clock", "sleep", "thread", "lock"},
     "an action runs beside the others, as in another terminal"},
  };
  return table;
}

std::string key(const allowance& of, std::string_view ban) {
  return std::string{of.path} + " " + std::string{ban};
}

bool covers(const allowance& of, const std::string& path) {
  const std::string pair{of.path};
  return is_under(path, of.path) || path == pair + ".hpp" || path == pair + ".cpp";
}

/// The key of the allowance under which `path` may do what `ban` forbids, or "".
std::string allowed(const std::string& path, std::string_view ban) {
  for (const auto& of : allowances())
    if (covers(of, path) && std::find(of.bans.begin(), of.bans.end(), ban) != of.bans.end())
      return key(of, ban);
  return {};
}

} // namespace

findings check_bans(const source_file& file, std::set<std::string>& used) {
  if (!is_cpp(file.path))
    return {};
  findings all;
  const bool test = is_under(file.path, "tests");
  const auto lines = lines_of(split(file.text).code);
  for (const auto& of : bans()) {
    if (test && !of.in_tests)
      continue;
    const auto hit = [&of](const auto& line) { return std::regex_search(line, of.pattern); };
    const auto first = std::find_if(lines.begin(), lines.end(), hit);
    if (first == lines.end())
      continue;
    if (const auto right = allowed(file.path, of.name); !right.empty()) {
      used.insert(right);
      continue;
    }
    const auto more = std::count_if(first + 1, lines.end(), hit);
    all.push_back(
      {file.path, static_cast<std::size_t>(first - lines.begin()) + 1,
       "banned: " + std::string{of.name},
       std::string{of.remedy} + (more ? "; " + std::to_string(more) + " more below" : "") +
         " (a driver is listed with its reason in tests/tidy/bans.cpp)"});
  }
  return all;
}

findings check_allowances(const std::set<std::string>& used) {
  findings all;
  for (const auto& of : allowances())
    for (const auto& ban : of.bans)
      if (!used.count(key(of, ban)))
        all.push_back(
          {"tests/tidy/bans.cpp", 0, "stale allowance",
           std::string{of.path} + " does not need \"" + std::string{ban} + "\": delete it"});
  return all;
}

findings check_marks(const source_file& file) {
  static const std::regex mark{R"(\b(TODO|FIXME|XXX)\b)"};
  if (!is_code(file.path))
    return {};
  findings all;
  const auto lines = lines_of(is_cpp(file.path) ? split(file.text).comments : file.text);
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (std::regex_search(lines[i], mark))
      all.push_back(
        {file.path, i + 1, "unfinished mark",
         "do it now, or say in a sentence what does not work and why"});
  return all;
}

} // namespace drover::tidy
