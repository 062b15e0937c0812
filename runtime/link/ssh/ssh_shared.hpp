// What the links of one loop have in common: the pacing of logins, the passphrases that were given,
// helper threads. Rule: everything but the constructor is for the loop's thread; a person who is
// asked keeps nobody waiting but the links that need that key. It keeps no share of the loop: what
// runs on a thread must not be the last to hold it.
#pragma once

#include "runtime/link/link_loop.hpp"
#include "runtime/link/ssh/helper_threads.hpp"
#include "runtime/link/ssh/login_gate.hpp"
#include "runtime/link/ssh/secret.hpp"
#include "runtime/link/ssh/ssh_settings.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace drover {

/// Asks for the passphrase of an identity file; nullopt = none is to be had. Called on a thread of
/// its own, one call at a time, and may wait for a person.
using ask_passphrase = std::function<std::optional<secret>(const std::string& identity_file)>;

class ssh_shared : public std::enable_shared_from_this<ssh_shared> {
public:
  ssh_shared(const std::shared_ptr<link_loop>& loop, ssh_pacing pacing, ask_passphrase ask);

  asio::io_context& context() { return context_; }

  /// `job` runs on a helper thread; what it returns then runs on the loop, unless that has ended.
  void help(std::function<std::function<void()>()> job);

  /// Calls `let_in` when a login to `host` may begin, at once or later; ended by `leave`.
  ssh::login_gate::ticket enter(const std::string& host, std::function<void()> let_in);
  void leave(ssh::login_gate::ticket number);

  using passphrase = std::shared_ptr<const secret>;
  /// Null = none is to be had. Asked once for all who need it, and kept.
  void passphrase_of(const std::string& identity_file, std::function<void(passphrase)> then);
  /// It was wrong: the next one who needs it asks again.
  void forget_passphrase(const std::string& identity_file, const passphrase& wrong);

private:
  struct key_entry {
    passphrase given;
    std::vector<std::function<void(passphrase)>> waiting; ///< not empty = a person is asked
  };
  void passphrase_came(const std::string& identity_file, passphrase given);
  /// `job` on one of `threads`, its return value on the loop.
  void run_on(ssh::helper_threads& threads, std::function<std::function<void()>()> job);

  std::weak_ptr<link_loop> loop_;
  asio::io_context& context_;
  ask_passphrase ask_;
  ssh::login_gate gate_;
  std::map<ssh::login_gate::ticket, std::function<void()>> at_gate_;
  std::map<std::string, key_entry> keys_;
  ssh::helper_threads helpers_;
  ssh::helper_threads prompt_;
};

} // namespace drover
