#include "runtime/cluster/ssh_fields.hpp"

#include "runtime/cluster/checked_values.hpp"
#include "runtime/cluster/delay_text.hpp"

#include <algorithm>

namespace drover {
namespace {

constexpr std::uint32_t port_max = 65535;
constexpr std::uint32_t logins_max = 10000;
constexpr std::size_t host_chars_max = 253;

/// Neither a blank nor a control character, and nothing that a program takes for an option.
bool is_plain_word(const std::string& text) {
  return !text.empty() && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string read_plain_word(
  wire::object_reader& from, const std::string& key, const std::string& fallback,
  const std::string& wanted) {
  auto word = from.optional(key, fallback);
  if (from.good() && (!is_plain_word(word) || word.size() > host_chars_max))
    from.refuse(key, "expected " + wanted + ", found \"" + word + "\"");
  return word;
}

std::string read_agent(wire::object_reader& from, const std::string& fallback) {
  auto agent = from.optional("agent", fallback);
  const bool is_relative = agent.find('/') != std::string::npos && agent.front() != '/';
  if (from.good() && (agent.empty() || is_relative || agent.find('\0') != std::string::npos))
    from.refuse(
      "agent",
      "expected an absolute path on the node, or a name that is searched in its PATH, found \"" +
        agent + "\"");
  return agent;
}

/// All but the host.
ssh_place read_login(
  wire::object_reader& from, ssh_place usual, const std::filesystem::path& directory) {
  usual.port = static_cast<std::uint16_t>(read_number(from, "port", usual.port, 1, port_max));
  usual.user = read_plain_word(from, "user", usual.user, "the name of a user on the node");
  if (from.look("identity_file"))
    usual.identity_file = read_path(from, "identity_file", directory);
  usual.agent = read_agent(from, usual.agent);
  return usual;
}

milliseconds read_limit(wire::object_reader& from, const std::string& key, milliseconds fallback) {
  const auto span =
    std::chrono::duration_cast<milliseconds>(read_time_span(from, key, nanoseconds{fallback}));
  if (from.good() && span.count() == 0)
    from.refuse(key, "expected at least 1ms");
  return span;
}

} // namespace

ssh_settings read_ssh_settings(wire::object_reader& root, const std::filesystem::path& directory) {
  ssh_settings settings;
  settings.known_hosts = directory / "known_hosts";
  if (!root.look("ssh"))
    return settings;
  auto from = root.object("ssh");
  settings.usual = read_login(from, settings.usual, directory);
  settings.known_hosts = read_path(from, "known_hosts", directory, "known_hosts");
  settings.logins = read_number(from, "logins", settings.logins, 1, logins_max);
  settings.logins_per_host =
    read_number(from, "logins_per_host", settings.logins_per_host, 1, logins_max);
  settings.connect_within = read_limit(from, "connect_within", settings.connect_within);
  settings.login_within = read_limit(from, "login_within", settings.login_within);
  settings.beat_every = read_limit(from, "beat_every", settings.beat_every);
  settings.beat_within = read_limit(from, "beat_within", settings.beat_within);
  if (from.good() && settings.beat_within <= settings.beat_every)
    from.refuse(
      "beat_within", "expected more than beat_every, which is " +
                       format_time_span(nanoseconds{settings.beat_every}));
  from.refuse_unknown();
  return settings;
}

ssh_place read_ssh_place(
  wire::object_reader& node, const std::string& name, const ssh_settings& of_cluster,
  const std::filesystem::path& directory) {
  auto place = read_login(node, of_cluster.usual, directory);
  place.host = read_plain_word(node, "host", name, "a host's name or address");
  return place;
}

void refuse_ssh_fields(wire::object_reader& node) {
  for (const auto* key : {"host", "port", "user", "identity_file", "agent"})
    if (node.look(key))
      node.refuse(key, "only a node with the link \"ssh\" has one");
}

} // namespace drover
