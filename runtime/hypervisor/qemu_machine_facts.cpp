// What a running QEMU really is: four short questions at once about what can be plugged, two more
// where the config that it was started with does not tell the rest, and one or two more of a
// machine that does not list its processors by what can be plugged (microvm).
#include "runtime/hypervisor/planned_facts.hpp"
#include "runtime/hypervisor/qemu_machine.hpp"

#include <algorithm>
#include <utility>

namespace drover {

using nlohmann::json;

namespace {

constexpr std::string_view machine_suffix = "-machine";
constexpr std::string_view child_prefix = "child<";

/// The answers on their way in.
struct gathering {
  wire::machine_facts facts;
  callback<wire::machine_facts> answer;
  std::optional<error> failure;
  int outstanding = 0;

  void one_is_in() {
    if (--outstanding > 0)
      return;
    if (failure)
      return answer(tl::unexpected(*failure));
    std::sort(facts.devices.begin(), facts.devices.end());
    answer(std::move(facts));
  }
};

/// Of those that can be plugged, the ones that are; QEMU lists the last first.
void take_cpus(const json& list, wire::machine_facts& facts) {
  for (const auto& one : list) {
    if (!one.contains("qom-path"))
      continue;
    facts.cpus += one.at("vcpus-count").get<std::uint32_t>();
    facts.cpu = one.at("type").get<std::string>();
  }
}

void take_devices(const json& list, wire::machine_facts& facts) {
  for (const auto& one : list) {
    const auto type = one.value("type", std::string{});
    if (type.starts_with(child_prefix) && type.ends_with('>'))
      facts.devices.push_back(
        one.value("name", std::string{}) + " " +
        type.substr(child_prefix.size(), type.size() - child_prefix.size() - 1));
  }
}

std::string without_suffix(std::string type) {
  if (type.ends_with(machine_suffix))
    type.resize(type.size() - machine_suffix.size());
  return type;
}

/// Takes one answer in. QEMU's answers have the form that their commands promise, and an answer
/// that has another is an error of its own.
template <class Take>
callback<json> into(const std::shared_ptr<gathering>& all, Take take) {
  ++all->outstanding;
  return [all, take](const result<json>& value) {
    try {
      if (value)
        take(*value, all->facts);
      else
        all->failure = value.error();
    } catch (const json::exception& e) {
      all->failure = error{errc::bug, "QEMU's answer has another form than expected", e.what()};
    }
    all->one_is_in();
  };
}

void take_machine(const json& type, wire::machine_facts& facts) {
  facts.machine = without_suffix(type.get<std::string>());
}

void take_memory(const json& summary, wire::machine_facts& facts) {
  facts.memory_bytes = summary.at("base-memory").get<std::uint64_t>();
}

void take_uuid(const json& answer, wire::machine_facts& facts) {
  facts.uuid = answer.at("UUID").get<std::string>();
}

void take_cpu(const json& type, wire::machine_facts& facts) { facts.cpu = type.get<std::string>(); }

} // namespace

void qemu_machine::facts(callback<wire::machine_facts> answer) {
  const auto all = std::make_shared<gathering>();
  all->answer = std::move(answer);
  const auto started = config();
  if (auto lasting = started ? lasting_facts(*started) : std::nullopt) {
    all->facts = std::move(*lasting);
  } else {
    call("qom-get", {{"path", "/machine"}, {"property", "type"}}, into(all, take_machine));
    call("query-uuid", nullptr, into(all, take_uuid));
  }
  call("query-memory-size-summary", nullptr, into(all, take_memory));
  for (const auto* path : {"/machine/peripheral", "/machine/peripheral-anon"})
    call("qom-list", {{"path", path}}, into(all, take_devices));
  call(
    "query-hotpluggable-cpus", nullptr,
    [taken = into(all, take_cpus), all, weak = weak_from_this()](const result<json>& list) {
      const auto self = weak.lock();
      // A machine whose processors cannot be plugged does not list them so.
      if (!self || list || list.error().code != errc::refused)
        return taken(list);
      const auto ask_type = [all, weak](const json& cpus, wire::machine_facts& facts) {
        facts.cpus = static_cast<std::uint32_t>(cpus.size());
        if (const auto again = weak.lock())
          again->call(
            "qom-get", {{"path", cpus.at(0).at("qom-path")}, {"property", "type"}},
            into(all, take_cpu));
      };
      self->call("query-cpus-fast", nullptr, into(all, ask_type));
      taken(result<json>{json::array()});
    });
}

} // namespace drover
