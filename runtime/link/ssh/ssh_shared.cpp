#include "runtime/link/ssh/ssh_shared.hpp"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <utility>

namespace drover {
namespace {

/// Enough that a name look-up or a file that hangs does not hold up the others' logins.
constexpr std::size_t helpers_max = 4;

} // namespace

ssh_shared::ssh_shared(
  const std::shared_ptr<link_loop>& loop, ssh_pacing pacing, ask_passphrase ask)
  : loop_(loop), context_(loop->context()), ask_(std::move(ask)), gate_(pacing),
    helpers_(helpers_max), prompt_(1) {}

void ssh_shared::run_on(ssh::helper_threads& threads, std::function<std::function<void()>()> job) {
  threads.run([loop = loop_, work = std::move(job)] {
    auto then = work();
    if (const auto alive = loop.lock())
      asio::post(alive->context(), std::move(then));
  });
}

void ssh_shared::help(std::function<std::function<void()>()> job) {
  run_on(helpers_, std::move(job));
}

// -- pacing --------------------------------------------------------------------------------------

ssh::login_gate::ticket ssh_shared::enter(const std::string& host, std::function<void()> let_in) {
  const auto asked = gate_.ask(host);
  if (asked.is_in)
    asio::post(context(), std::move(let_in));
  else
    at_gate_.emplace(asked.number, std::move(let_in));
  return asked.number;
}

void ssh_shared::leave(ssh::login_gate::ticket number) {
  at_gate_.erase(number);
  for (const auto next : gate_.leave(number))
    if (auto waiter = at_gate_.extract(next))
      asio::post(context(), std::move(waiter.mapped()));
}

// -- passphrases ---------------------------------------------------------------------------------

void ssh_shared::passphrase_of(
  const std::string& identity_file, std::function<void(passphrase)> then) {
  auto& entry = keys_[identity_file];
  if (entry.given || !ask_) {
    asio::post(context(), [given = entry.given, tell = std::move(then)] { tell(given); });
    return;
  }
  const bool is_asked = !entry.waiting.empty();
  entry.waiting.push_back(std::move(then));
  if (is_asked)
    return;
  run_on(prompt_, [weak = weak_from_this(), ask = ask_, path = identity_file] {
    auto answer = ask(path);
    passphrase given = answer ? std::make_shared<const secret>(std::move(*answer)) : nullptr;
    return [weak, path, given = std::move(given)] {
      if (const auto self = weak.lock())
        self->passphrase_came(path, given);
    };
  });
}

void ssh_shared::passphrase_came(const std::string& identity_file, passphrase given) {
  auto& entry = keys_[identity_file];
  entry.given = given;
  for (const auto& tell : std::exchange(entry.waiting, {}))
    tell(given);
}

void ssh_shared::forget_passphrase(const std::string& identity_file, const passphrase& wrong) {
  auto& entry = keys_[identity_file];
  if (entry.given == wrong)
    entry.given = nullptr;
}

} // namespace drover
