#include "runtime/hypervisor/run_files.hpp"

#include "runtime/base/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <sys/stat.h>

namespace drover {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t log_tail_bytes = 2048;

/// RFC 7919's ffdhe2048. A server without a group makes a prime of its own, for 5 to 13 s on QEMU's
/// main loop; handshakes of these two ends agree on an elliptic curve and use neither.
constexpr const char* known_group = R"(-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
)";

result<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf()))
    return fail(errc::lost, "cannot read the file", path.native());
  return text.str();
}

} // namespace

result<void> write_file(const fs::path& path, const std::string& text) {
  const auto failed = [&path] {
    return fail(
      errc::refused, std::string("cannot write the file: ") + std::strerror(errno), path.native());
  };
  const auto next = path.native() + ".new";
  {
    const unique_fd file(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file)
      return failed();
    std::size_t at = 0;
    while (at < text.size()) {
      const auto n = ::write(file.get(), text.data() + at, text.size() - at);
      if (n < 0)
        return failed();
      at += static_cast<std::size_t>(n);
    }
  }
  if (::rename(next.c_str(), path.c_str()) != 0)
    return failed();
  return {};
}

pid_t run_files::read_pid() const {
  const auto text = read_file(pid());
  pid_t number = 0;
  if (text)
    std::from_chars(text->data(), text->data() + text->size(), number);
  return number > 1 ? number : 0;
}

result<std::string> run_files::read_started() const { return read_file(started()); }

stream_mark run_files::read_stream() const {
  const auto text = read_file(stream());
  const auto mark = json::parse(text ? *text : "", nullptr, false);
  if (
    !mark.is_object() || !mark.contains("number") || !mark["number"].is_number_unsigned() ||
    !mark.contains("role"))
    return {};
  stream_mark out{epoch{mark["number"].get<std::uint64_t>()}, stream_role::none};
  if (mark["role"] == "source")
    out.role = stream_role::source;
  if (mark["role"] == "target")
    out.role = stream_role::target;
  return out;
}

std::string run_files::log_tail() const {
  auto text = read_file(log()).value_or("");
  if (text.size() > log_tail_bytes)
    text.erase(0, text.size() - log_tail_bytes);
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

result<void> run_files::write_pid(pid_t number) const {
  // In place and not by rename: QEMU holds its lock on this very file.
  const unique_fd file(::open(pid().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const auto text = std::to_string(number) + "\n";
  if (!file || ::write(file.get(), text.data(), text.size()) < 0)
    return fail(errc::refused, "cannot write the pid file", pid().native());
  return {};
}

result<void> run_files::write_started(const std::string& config) const {
  return write_file(started(), config);
}

result<void> run_files::write_stream(const stream_mark& mark) const {
  const json text{
    {"number", mark.number.value},
    {"role", mark.role == stream_role::source ? "source" : "target"}};
  return write_file(stream(), text.dump() + "\n");
}

result<void> run_files::write_key(
  key_end end, const std::string& identity, const std::string& key) const {
  const auto dir = key_dir();
  // Left by somebody with another umask, or a link to elsewhere: ours is made anew.
  remove_key();
  if (::mkdir(dir.c_str(), 0700) != 0)
    return fail(
      errc::refused, std::string("cannot make the key's directory: ") + std::strerror(errno),
      dir.native());
  if (end == key_end::server)
    if (auto written = write_file(dir / "dh-params.pem", known_group); !written)
      return written;
  return write_file(dir / "keys.psk", identity + ":" + key + "\n");
}

void run_files::remove_key() const {
  std::error_code ignored;
  fs::remove_all(key_dir(), ignored);
}

void run_files::remove_multifd() const {
  std::error_code ignored;
  fs::remove(multifd(), ignored);
}

void run_files::remove_all(log_file kind) const {
  remove_key();
  remove_multifd();
  std::error_code ignored;
  for (const auto& path : {pid(), control(), rescue(), started(), stream(), agent()})
    fs::remove(path, ignored);
  for (std::uint32_t n = 0; n < 4; ++n)
    fs::remove(serial(n), ignored);
  if (kind == log_file::remove || fs::file_size(log(), ignored) == 0)
    fs::remove(log(), ignored);
}

namespace {

/// Of the files that are named "<vmid><extension>", one entry each, in order.
std::vector<vm_id> vms_with(
  const fs::path& run_dir, std::initializer_list<const char*> extensions) {
  std::set<vm_id> vms;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(run_dir, failure)) {
    const auto extension = entry.path().extension();
    if (std::find(extensions.begin(), extensions.end(), extension) == extensions.end())
      continue;
    const auto stem = entry.path().stem().native();
    vm_id vm;
    const auto end = stem.data() + stem.size();
    if (std::from_chars(stem.data(), end, vm.value).ptr == end && vm.value > 0)
      vms.insert(vm);
  }
  return {vms.begin(), vms.end()};
}

} // namespace

std::vector<vm_id> streams_in(const fs::path& run_dir) {
  return vms_with(run_dir, {".tls", ".multifd"});
}

std::vector<std::string> stream_files(const fs::path& run_dir, vm_id vm) {
  const run_files files{run_dir, vm};
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& path : {files.key_dir(), files.multifd()})
    if (fs::exists(fs::symlink_status(path, ignored)))
      names.push_back(path.filename().string());
  return names;
}

std::vector<vm_id> vms_in(const fs::path& run_dir) {
  return vms_with(run_dir, {".pid", ".started"});
}

} // namespace drover
