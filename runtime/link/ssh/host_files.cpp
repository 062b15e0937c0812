#include "runtime/link/ssh/host_files.hpp"

#include "runtime/link/ssh/ssh_bytes.hpp"
#include "runtime/link/ssh/ssh_session.hpp"

#include <libssh2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace drover::ssh {
namespace {

constexpr off_t file_bytes_max = 4 * 1024 * 1024;

struct file_text {
  secret text;
  bool missing = false;
};

result<file_text> read_file(const std::string& path) {
  const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0 && errno == ENOENT)
    return file_text{{}, true};
  if (file.get() < 0)
    return fail(errc::invalid, std::string{"cannot read the file: "} + std::strerror(errno), path);
  struct stat about {};
  if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode))
    return fail(errc::invalid, "this is not a file", path);
  if (about.st_size > file_bytes_max)
    return fail(errc::invalid, "the file has more than 4 MiB", path);
  std::vector<char> bytes(static_cast<std::size_t>(about.st_size));
  std::size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < bytes.size()) {
    got = ::read(file.get(), bytes.data() + size, bytes.size() - size);
    size += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  const int number = errno;
  file_text read{secret{std::string_view{bytes.data(), size}}, false};
  ::explicit_bzero(bytes.data(), size);
  if (got < 0)
    return fail(errc::invalid, std::string{"cannot read the file: "} + std::strerror(number), path);
  return read;
}

/// Asks libssh2, which has the HMAC: a line with this name and a wrong key mismatches exactly when
/// the name is the host's.
class hashed_names {
public:
  hashed_names()
    : session_(
        is_library_ready() ? ::libssh2_session_init_ex(nullptr, nullptr, nullptr, nullptr)
                           : nullptr) {}
  hashed_names(const hashed_names&) = delete;
  hashed_names& operator=(const hashed_names&) = delete;
  ~hashed_names() {
    if (session_)
      ::libssh2_session_free(session_);
  }

  bool stands_for(std::string_view hashed, const std::string& name) const {
    auto* const hosts = session_ ? ::libssh2_knownhost_init(session_) : nullptr;
    if (!hosts)
      return false;
    static const std::string key(40, 'A'), other_key(40, 'B');
    const auto line = std::string{hashed} + " ssh-ed25519 " + key + "\n";
    const bool is_read = ::libssh2_knownhost_readline(
                           hosts, line.c_str(), line.size(), LIBSSH2_KNOWNHOST_FILE_OPENSSH) == 0;
    const int found =
      !is_read ? LIBSSH2_KNOWNHOST_CHECK_NOTFOUND
               : ::libssh2_knownhost_check(
                   hosts, name.c_str(), other_key.c_str(), other_key.size(),
                   LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_BASE64, nullptr);
    ::libssh2_knownhost_free(hosts);
    return found == LIBSSH2_KNOWNHOST_CHECK_MISMATCH;
  }

private:
  LIBSSH2_SESSION* session_;
};

std::vector<known_key> known_in(std::string_view text, const std::string& name) {
  const hashed_names hashed;
  return known_keys_of(text, name, [&hashed](std::string_view one, const std::string& host) {
    return hashed.stands_for(one, host);
  });
}

bool is_host_word(const std::string& host) {
  return !host.empty() && host.find_first_of(" \t\r\n,*?!|#@") == std::string::npos;
}

} // namespace

result<std::vector<known_key>> read_known_keys(const std::string& path, const std::string& name) {
  const auto file = read_file(path);
  if (!file)
    return tl::unexpected<error>(file.error());
  return known_in(file->text.view(), name);
}

result<key_file> load_key_file(const std::string& path) {
  auto file = read_file(path);
  if (!file)
    return tl::unexpected<error>(file.error());
  if (file->missing)
    return fail(
      errc::invalid, "there is no identity file; make one with: ssh-keygen -t ed25519 -f " + path,
      path);
  return read_key_file(std::move(file->text), path);
}

result<trust> add_known_host(
  const std::string& path, const std::string& host, std::uint16_t port, const host_key& key) {
  if (!is_host_word(host) || key.blob.empty())
    return fail(errc::invalid, "this cannot stand in known_hosts", host);
  const auto name = known_hosts_name(host, port);
  const auto file = read_file(path);
  if (!file)
    return tl::unexpected<error>(file.error());
  const auto blob = base64(key.blob);
  for (const auto& known : known_in(file->text.view(), name)) {
    const auto place = path + ":" + std::to_string(known.line);
    if (known.blob_base64 == blob && known.revoked)
      return fail(errc::refused, "this key of " + name + " is revoked by " + place);
    if (known.blob_base64 == blob)
      return trust::known_before;
    if (known.type == key.type && !known.revoked)
      return fail(
        errc::conflict,
        "another key of " + name + " stands at " + place +
          "; if the new one is right, delete that line first",
        key.type + " " + key.fingerprint);
  }
  const unique_fd out(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  const auto text = file->text.view();
  const auto line =
    (text.empty() || text.ends_with('\n') ? "" : "\n") + known_hosts_line(name, key);
  // One write, so that others who append at the same time do not mix with it.
  const bool is_written =
    out.get() >= 0 &&
    ::write(out.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
    ::fsync(out.get()) == 0;
  if (!is_written)
    return fail(errc::invalid, std::string{"cannot write the file: "} + std::strerror(errno), path);
  return trust::added;
}

} // namespace drover::ssh
