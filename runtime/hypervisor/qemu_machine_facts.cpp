// What a running QEMU really is: seven short questions, six of them at once.
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

void take_devices(const json& list, std::vector<std::string>& devices) {
  for (const auto& one : list) {
    const auto type = one.value("type", std::string{});
    if (type.starts_with(child_prefix) && type.ends_with('>'))
      devices.push_back(
        one.value("name", std::string{}) + " " +
        type.substr(child_prefix.size(), type.size() - child_prefix.size() - 1));
  }
}

std::string without_suffix(std::string type) {
  if (type.ends_with(machine_suffix))
    type.resize(type.size() - machine_suffix.size());
  return type;
}

} // namespace

void qemu_machine::facts(callback<wire::machine_facts> answer) {
  const auto all = std::make_shared<gathering>();
  all->answer = std::move(answer);
  // Takes one answer in; QEMU's answers have the form that their commands promise, and an answer
  // that has another is an error of its own.
  const auto into = [all](auto take) {
    ++all->outstanding;
    return [all, take](const result<json>& value) {
      try {
        if (value)
          take(*value);
        else
          all->failure = value.error();
      } catch (const json::exception& e) {
        all->failure = error{errc::bug, "QEMU's answer has another form than expected", e.what()};
      }
      all->one_is_in();
    };
  };
  auto& facts = all->facts;
  call("qom-get", {{"path", "/machine"}, {"property", "type"}}, into([&facts](const json& v) {
         facts.machine = without_suffix(v.get<std::string>());
       }));
  call("query-memory-size-summary", nullptr, into([&facts](const json& v) {
         facts.memory_bytes = v.at("base-memory").get<std::uint64_t>();
       }));
  call("query-uuid", nullptr, into([&facts](const json& v) {
         facts.uuid = v.at("UUID").get<std::string>();
       }));
  for (const auto* path : {"/machine/peripheral", "/machine/peripheral-anon"})
    call("qom-list", {{"path", path}}, into([&facts](const json& v) {
           take_devices(v, facts.devices);
         }));
  call("query-cpus-fast", nullptr, into([&facts, into, weak = weak_from_this()](const json& v) {
         facts.cpus = static_cast<std::uint32_t>(v.size());
         const auto self = weak.lock();
         if (!self)
           return;
         self->call(
           "qom-get", {{"path", v.at(0).at("qom-path")}, {"property", "type"}},
           into([&facts](const json& type) { facts.cpu = type.get<std::string>(); }));
       }));
}

} // namespace drover
