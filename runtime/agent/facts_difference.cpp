#include "runtime/agent/facts_difference.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace drover {
namespace {

class difference_list {
public:
  void compare(const std::string& what, const std::string& here, const std::string& source) {
    if (here != source)
      add(what + " " + shown(here) + " here, " + shown(source) + " at the source");
  }
  void add(const std::string& sentence) { text_ += (text_.empty() ? "" : "; ") + sentence; }
  std::string text() const { return text_; }

private:
  static std::string shown(const std::string& value) { return value.empty() ? "none" : value; }
  std::string text_;
};

std::vector<std::string> only_in(
  const std::vector<std::string>& these, const std::vector<std::string>& others) {
  std::vector<std::string> left;
  std::set_difference(
    these.begin(), these.end(), others.begin(), others.end(), std::back_inserter(left));
  return left;
}

std::vector<std::string> sorted(std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  return values;
}

} // namespace

std::string describe_difference(
  const wire::machine_facts& here, const wire::machine_facts& source) {
  difference_list list;
  list.compare("machine", here.machine, source.machine);
  list.compare("cpu", here.cpu, source.cpu);
  list.compare("cpus", std::to_string(here.cpus), std::to_string(source.cpus));
  list.compare("memory", std::to_string(here.memory_bytes), std::to_string(source.memory_bytes));
  list.compare("uuid", here.uuid, source.uuid);
  const auto devices_here = sorted(here.devices);
  const auto devices_source = sorted(source.devices);
  for (const auto& device : only_in(devices_here, devices_source))
    list.add("device " + device + " only here");
  for (const auto& device : only_in(devices_source, devices_here))
    list.add("device " + device + " only at the source");
  return list.text();
}

} // namespace drover
