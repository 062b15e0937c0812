// The key of an encrypted stream, on its way into QEMU. Rule: it goes by a private file only, never
// over the control socket, and the file goes as soon as QEMU has read it: the source's QEMU reads
// it when the object is made, the target's at the handshake, which is over when it is `active`.
#include "runtime/hypervisor/qemu_machine.hpp"
#include "runtime/hypervisor/stream_key.hpp"

namespace drover {

using nlohmann::json;

namespace {

constexpr const char* credentials_name = "drover-stream";

} // namespace

json qemu_machine::key_parameters(const std::string& key) {
  // An empty name switches off what an earlier stream was given.
  return {{"tls-creds", key.empty() ? "" : credentials_name}};
}

void qemu_machine::give_key(epoch number, const std::string& key, callback<done> answer) {
  if (!key.empty() && std::exchange(may_keep_old_key_, false))
    has_key_ = true;
  forget_key();
  if (key.empty())
    return host_->answer_later<done>(std::move(answer), done{});
  const bool is_source = mark_.role == stream_role::source;
  const auto identity = key_identity(vm_, number);
  const auto end = is_source ? key_end::client : key_end::server;
  if (auto written = files_.write_key(end, identity, key); !written)
    return host_->answer_later<done>(std::move(answer), tl::unexpected(written.error()));
  has_key_ = true;
  names_key_ = true;
  json credentials{
    {"qom-type", "tls-creds-psk"},
    {"id", credentials_name},
    {"endpoint", is_source ? "client" : "server"},
    {"dir", files_.key_dir().native()}};
  if (is_source)
    credentials["username"] = identity;
  call(
    "object-add", credentials,
    [weak = weak_from_this(), is_source, mine = ++keys_given_,
     answer = std::move(answer)](const result<json>& added) {
      const auto self = weak.lock();
      if (!self)
        return;
      // The file may be the next key's by now.
      if (mine != self->keys_given_)
        return answer(fail(errc::retry, "another key was made meanwhile"));
      if (is_source || !added)
        self->files_.remove_key();
      if (added)
        return answer(done{});
      auto why = added.error();
      if (why.code == errc::refused)
        why.what = "the QEMU on " + self->host_->settings.node.value +
                   " cannot encrypt a stream with tls-creds-psk (" + why.what +
                   "); --stream plain would send guest memory in the clear, over a trusted network";
      answer(tl::unexpected(std::move(why)));
    });
}

void qemu_machine::forget_key() {
  files_.remove_key();
  if (std::exchange(has_key_, false))
    call("object-del", {{"id", credentials_name}}, [](const result<json>&) {});
}

} // namespace drover
