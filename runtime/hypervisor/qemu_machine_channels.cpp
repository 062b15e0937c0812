// A stream with several channels: QEMU's capability, and the connections that it makes itself.
#include "runtime/hypervisor/qemu_machine.hpp"

namespace drover {

using nlohmann::json;

namespace {

constexpr const char* capability_name = "multifd";

} // namespace

std::uint32_t qemu_machine::channels_max() const {
  return switches_.knows(capability_name) ? stream_channels_max : 1;
}

void qemu_machine::add_channels(migration_switches::wanted& all) const {
  // Also off again: an earlier stream of this QEMU may have had several.
  all.emplace_back(capability_name, channels_ > 1);
}

json qemu_machine::stream_parameters(const std::string& key) const {
  // QEMU reads a command byte by byte, so what says nothing new is not said.
  auto parameters = names_key_ ? key_parameters(key) : json::object();
  if (channels_ > 1)
    parameters["multifd-channels"] = channels_;
  return parameters;
}

void qemu_machine::set_receiving_channels(std::uint32_t channels, callback<done> answer) {
  const bool is_usual = channels == 1 && (channels_ == 1 || channels_max() == 1);
  channels_ = channels;
  if (is_usual)
    return answer(done{});
  switch_migration({{capability_name, channels > 1}}, command_deadline, std::move(answer));
}

// -- target --------------------------------------------------------------------------------------

void qemu_machine::admitted_channel(unique_fd connection) {
  if (!incoming_) {
    incoming_ = incoming_channels::open(host_, files_.multifd(), channels_);
    const json uri{{"uri", "unix:" + files_.multifd().native()}};
    call(
      "migrate-incoming", uri,
      [weak = weak_from_this(), mine = incoming_](const result<json>& accepted) {
        const auto self = weak.lock();
        if (!self || !accepted)
          return mine->close(); // Which turns the source away.
        if (self->stream_phase_ == stream_phase::none)
          self->stream_phase_ = stream_phase::begun;
        mine->listens();
      });
  }
  incoming_->add(std::move(connection));
}

// -- source --------------------------------------------------------------------------------------

void qemu_machine::connect_channels(const listening& door, std::uint64_t attempt) {
  outgoing_ = outgoing_channels::open(
    host_, files_.multifd(), door, [weak = weak_from_this(), attempt](const result<done>& ready) {
      const auto self = weak.lock();
      if (!self)
        return;
      if (!ready)
        return self->stream_failed_to_begin(attempt, ready.error());
      self->channels_stand_ = true;
      self->begin_if_ready();
    });
}

void qemu_machine::close_channels() {
  channels_stand_ = false;
  if (const auto outgoing = std::exchange(outgoing_, nullptr))
    outgoing->close();
  if (const auto incoming = std::exchange(incoming_, nullptr))
    incoming->close();
}

} // namespace drover
