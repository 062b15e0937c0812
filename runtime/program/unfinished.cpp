#include "runtime/program/unfinished.hpp"

#include <utility>

namespace drover {
namespace {

struct sighting {
  node_id node;
  const wire::vm_entry* entry;
};

bool runs(const wire::vm_entry& e) { return e.state == wire::run_state::running; }

class examiner {
public:
  examiner(vm_id vm, const std::vector<sighting>& seen) : vm_(vm), seen_(seen) {}

  std::vector<unfinished_vm> examine() {
    std::size_t running = 0;
    for (const auto& s : seen_) {
      running += runs(*s.entry) ? 1U : 0U;
      examine_copy(s);
    }
    if (running > 1)
      say("runs on " + std::to_string(running) + " nodes at once");
    examine_record();
    return std::move(found_);
  }

private:
  void examine_copy(const sighting& s) {
    const auto& e = *s.entry;
    const auto& node = s.node.value;
    if (e.state == wire::run_state::postmigrate)
      say("a paused copy from before a migration is left on " + node);
    if (e.state == wire::run_state::incoming)
      say("a copy on " + node + " waits for a migration to end");
    if (e.state == wire::run_state::other)
      say("its QEMU on " + node + " is in an unknown state");
    if (runs(e) && !e.config_here)
      say("runs on " + node + ", but its config is elsewhere");
    if (e.config_here && e.lock == "migrate")
      say("its config on " + node + " is locked: migrate");
  }

  void examine_record() {
    for (const auto& s : seen_) {
      const auto& e = *s.entry;
      if (e.record != record_state::moving)
        continue;
      return say(
        "its handover of epoch " + to_string(e.record_epoch) + " from " + e.record_source.value +
        " to " + e.record_target.value + " is not settled");
    }
  }

  void say(std::string what) { found_.push_back({vm_, std::move(what)}); }

  vm_id vm_;
  const std::vector<sighting>& seen_;
  std::vector<unfinished_vm> found_;
};

} // namespace

std::vector<unfinished_vm> unfinished_of(const std::map<node_id, wire::vm_list>& lists) {
  std::map<vm_id, std::vector<sighting>> seen;
  for (const auto& [node, list] : lists)
    for (const auto& e : list.vms)
      seen[e.vm].push_back({node, &e});
  std::vector<unfinished_vm> all;
  for (const auto& [vm, sightings] : seen)
    for (auto& f : examiner{vm, sightings}.examine())
      all.push_back(std::move(f));
  return all;
}

} // namespace drover
