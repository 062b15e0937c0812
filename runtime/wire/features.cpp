#include "runtime/wire/features.hpp"

namespace drover::wire {
namespace {

bool is_of_recovery(const request_body& body) {
  if (const auto* asked = std::get_if<continue_source>(&body))
    return asked->assurance.has_value();
  return std::holds_alternative<inspect_handovers>(body) ||
         std::holds_alternative<discard_copy>(body) ||
         std::holds_alternative<close_handover>(body) || std::holds_alternative<forget_vm>(body);
}

} // namespace

std::string_view needed_feature(const request_body& body) {
  if (const auto* asked = std::get_if<receive>(&body))
    return asked->kind == stream_kind::tls ? feature::stream_tls : std::string_view{};
  // A target that ignores the channels offers one stream, which the offer shows; a source would
  // knock once where several are waited for.
  if (const auto* asked = std::get_if<stream>(&body); asked && asked->channels)
    return feature::stream_channels;
  if (const auto* asked = std::get_if<stream>(&body))
    return asked->key ? feature::stream_tls : std::string_view{};
  if (is_of_recovery(body))
    return feature::recovery;
  return std::holds_alternative<read_clocks>(body) ? feature::clocks : std::string_view{};
}

std::string_view loss_without(std::string_view name) {
  if (name == feature::clocks)
    return "the pause of a VM that moves to or from another host is not told";
  if (name == feature::stream_tls)
    return "VMs move from and to it with --stream plain only";
  if (name == feature::stream_channels)
    return "streams from and to it go by one connection each";
  if (name == feature::recovery)
    return "drover recover does not see what is left there";
  return "what needs it is refused";
}

std::string version_text(int major, std::optional<std::uint32_t> minor) {
  return std::to_string(major) + "." + std::to_string(minor.value_or(0));
}

} // namespace drover::wire
