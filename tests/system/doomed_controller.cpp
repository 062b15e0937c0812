// A controller that kills itself with SIGKILL at a chosen trace event, and agents before itself if
// it is told to: `drover evacuate`, which cannot be killed so exactly from outside.
//
//   doomed_controller CLUSTER NODE POLICY WORDS COUNT AGENTS
//
// It dies when an event holds WORDS (as NDJSON; "" = any) for the COUNT-th time. AGENTS: none, or
// nodes separated by commas whose agents die first. When it lives to the end it prints how many
// events held WORDS.
#include "runtime/program/fleet.hpp"
#include "runtime/program/planning.hpp"
#include "runtime/program/survey.hpp"
#include "runtime/wire/trace_ndjson.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

using namespace drover;
using namespace std::chrono_literals;

namespace {

class doom final : public trace_sink {
public:
  doom(std::string words, std::uint64_t count) : words_(std::move(words)), count_(count) {}

  /// What happened before is not counted.
  void begin(std::vector<pid_t> first) {
    const std::lock_guard guard{mutex_};
    first_ = std::move(first);
    begun_ = true;
  }

  void take(const trace_event& event) override {
    const std::lock_guard guard{mutex_};
    if (!begun_ || wire::to_ndjson(event).find(words_) == std::string::npos || ++met_ != count_)
      return;
    for (const auto pid : first_)
      kill(pid, SIGKILL);
    kill(getpid(), SIGKILL);
  }

  std::uint64_t met() const { return met_; }

private:
  std::mutex mutex_;
  const std::string words_;
  const std::uint64_t count_;
  std::vector<pid_t> first_;
  bool begun_ = false;
  std::atomic<std::uint64_t> met_ = 0;
};

std::vector<pid_t> pids_of(const fleet& nodes, const std::string& names) {
  std::vector<pid_t> pids;
  std::istringstream words{names};
  for (std::string name; names != "none" && std::getline(words, name, ',');)
    if (const auto pid = nodes.agent_pid(node_id{name}))
      pids.push_back(*pid);
  return pids;
}

int complain(const error& why) {
  std::fprintf(stderr, "doomed_controller: %s\n", to_string(why).c_str());
  return 1;
}

int evacuate(const std::vector<std::string>& words) {
  auto cluster = read_cluster_file(words.at(1));
  if (!cluster)
    return complain(cluster.error());
  cluster->agent = DROVER_AGENT_PROGRAM;
  const auto watch = std::make_shared<doom>(words.at(4), std::stoull(words.at(5)));
  auto nodes = fleet::open(*cluster, {fleet_access::control, watch, {}, pulse_choice::none});
  if (!nodes)
    return complain(nodes.error());
  const auto seen = survey_of((*nodes)->call_all(wire::list_vms{}, 12s));
  const auto how = policy_from_string(words.at(3)).value_or(policy::ticket);
  const node_id node{words.at(2)};
  const auto p = plan_of(*cluster, seen, {node, {}, how, std::nullopt});
  if (!p)
    return complain(p.error());
  watch->begin(pids_of(**nodes, words.at(6)));
  (*nodes)->run(order_of(*p, (*nodes)->controller(), node));
  nodes->reset();
  std::printf("%llu\n", static_cast<unsigned long long>(watch->met()));
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 7)
    return complain({errc::invalid, "expected CLUSTER NODE POLICY WORDS COUNT AGENTS", {}});
  return evacuate({argv, argv + argc});
}
