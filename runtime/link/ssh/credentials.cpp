#include "runtime/link/ssh/credentials.hpp"

#include "runtime/link/ssh/agent_wire.hpp"

#include <algorithm>
#include <utility>

namespace drover::ssh {
namespace {

/// sshd ends a connection after MaxAuthTries refused keys, 6 by default.
constexpr std::size_t agent_keys_max = 5;

} // namespace

credential_search::credential_search(
  std::shared_ptr<ssh_shared> shared, const ssh_link_settings& settings, found tell)
  : shared_(std::move(shared)), settings_(settings), tell_(std::move(tell)) {}

result<credential_search::files> credential_search::read_files(const ssh_link_settings& settings) {
  files read;
  auto known =
    read_known_keys(settings.known_hosts_path, known_hosts_name(settings.host, settings.port));
  if (!known)
    return tl::unexpected<error>(known.error());
  read.known = std::move(*known);
  if (settings.identity_file.empty())
    return read;
  auto key = load_key_file(settings.identity_file);
  if (!key)
    return tl::unexpected<error>(key.error());
  read.identity = std::make_shared<const key_file>(std::move(*key));
  return read;
}

void credential_search::begin() {
  shared_->help([weak = weak_from_this(), settings = settings_] {
    auto read = read_files(settings);
    return [weak, kept = std::make_shared<result<files>>(std::move(read))] {
      if (const auto self = weak.lock())
        self->files_read(std::move(*kept));
    };
  });
}

void credential_search::files_read(result<files> read) {
  if (!read)
    return end(tl::unexpected<error>(read.error()));
  credentials_.known = std::move(read->known);
  credentials_.file = std::move(read->identity);
  if (credentials_.file && credentials_.file->protection == key_file::kind::plain)
    return end(std::move(credentials_));
  if (!settings_.agent_socket.empty())
    return ask_agent();
  if (credentials_.file)
    return ask_person();
  end(fail(
    errc::invalid, "there is no key to log in with: name an identity file, or run an "
                   "ssh-agent that has one"));
}

void credential_search::ask_agent() {
  credentials_.agent = std::make_shared<agent_client>(
    shared_->context(), settings_.agent_socket, settings_.agent_within);
  credentials_.agent->ask(
    agent_list_request(), [weak = weak_from_this()](const result<std::string>& answer) {
      if (const auto self = weak.lock())
        self->agent_answered(answer);
    });
}

void credential_search::agent_answered(const result<std::string>& answer) {
  const auto keys = answer
                      ? agent_keys(*answer)
                      : result<std::vector<std::string>>(tl::unexpected<error>(answer.error()));
  const bool has_file_key =
    keys && credentials_.file &&
    std::find(keys->begin(), keys->end(), credentials_.file->public_blob) != keys->end();
  if (has_file_key) {
    credentials_.agent_keys = {credentials_.file->public_blob};
    return end(std::move(credentials_));
  }
  if (credentials_.file) {
    credentials_.agent->close();
    credentials_.agent = nullptr;
    return ask_person();
  }
  if (!keys)
    return end(tl::unexpected<error>(keys.error()));
  if (keys->empty())
    return end(fail(
      errc::refused, "the ssh-agent has no ed25519 or ECDSA key; add one with: ssh-add",
      settings_.agent_socket));
  credentials_.agent_keys = *keys;
  credentials_.agent_keys.resize(std::min(keys->size(), agent_keys_max));
  end(std::move(credentials_));
}

void credential_search::ask_person() {
  shared_->passphrase_of(
    settings_.identity_file, [weak = weak_from_this()](ssh_shared::passphrase given) {
      const auto self = weak.lock();
      if (!self)
        return;
      if (!given)
        return self->end(fail(
          errc::refused,
          "the identity file is encrypted and no passphrase was given; add it to an ssh-agent "
          "with: ssh-add " +
            self->settings_.identity_file,
          self->settings_.identity_file));
      self->credentials_.passphrase = std::move(given);
      self->end(std::move(self->credentials_));
    });
}

void credential_search::end(result<credentials> outcome) {
  if (const auto tell = std::exchange(tell_, nullptr))
    tell(std::move(outcome));
}

void credential_search::cancel() {
  tell_ = nullptr;
  if (credentials_.agent)
    credentials_.agent->close();
}

} // namespace drover::ssh
