#include "runtime/program/node_trust.hpp"

#include "runtime/link/ssh/host_files.hpp"
#include "runtime/link/ssh/host_trust.hpp"
#include "runtime/program/planning.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unistd.h>

namespace drover {
namespace {

bool is_confirmed() {
  std::fputs(
    "Is this the node's own? It prints it with: ssh-keygen -lf "
    "/etc/ssh/ssh_host_ed25519_key.pub\nNote it? [y/N] ",
    stderr);
  std::array<char, 8> answer{};
  if (std::fgets(answer.data(), answer.size(), stdin) == nullptr)
    return false;
  const std::string_view word{answer.data()};
  return word == "y\n" || word == "Y\n" || word == "yes\n";
}

/// Nothing that stands in the file has to do with this key: the question is a new one.
result<bool> is_new(
  const std::string& known_hosts, const ssh_place& place, const ssh::host_key& key) {
  const auto known =
    ssh::read_known_keys(known_hosts, ssh::known_hosts_name(place.host, place.port));
  if (!known)
    return tl::unexpected<error>(known.error());
  return std::none_of(known->begin(), known->end(), [&key](const ssh::known_key& one) {
    return one.revoked || one.type == key.type;
  });
}

} // namespace

result<done> trust_node(
  const cluster_file& cluster, const node_trust_options& asked, output_format out) {
  if (auto unknown = unknown_node(cluster, asked.node))
    return tl::unexpected<error>(std::move(*unknown));
  const auto& node = cluster.nodes.at(asked.node);
  const auto& place = node.place;
  if (node.link != link_kind::ssh)
    return fail(errc::invalid, "the link of node " + asked.node.value + " is not \"ssh\"");
  const auto key = ssh::fetch_host_key(
    place.host, place.port, cluster.ssh.connect_within, cluster.ssh.login_within);
  if (!key)
    return tl::unexpected<error>(key.error());
  const auto file = cluster.ssh.known_hosts.string();
  const auto asks = is_new(file, place, *key);
  if (!asks)
    return tl::unexpected<error>(asks.error());
  const auto name = ssh::known_hosts_name(place.host, place.port);
  std::fprintf(
    stderr, "%s (%s) shows the host key %s %s\n", asked.node.value.c_str(), name.c_str(),
    key->type.c_str(), key->fingerprint.c_str());
  if (*asks && !asked.yes) {
    if (::isatty(STDIN_FILENO) == 0)
      return fail(
        errc::refused, "nothing was noted: compare the fingerprint, then repeat this with --yes");
    if (!is_confirmed())
      return fail(errc::refused, "nothing was noted");
  }
  const auto added = ssh::add_known_host(file, place.host, place.port, *key);
  if (!added)
    return tl::unexpected<error>(added.error());
  const std::string word = *added == ssh::trust::added ? "noted" : "known before";
  if (out == output_format::json)
    std::puts(nlohmann::ordered_json{
      {"node", asked.node.value},
      {"host", name},
      {"type", key->type},
      {"fingerprint", key->fingerprint},
      {"result", word},
      {"known_hosts", file}}
                .dump(2)
                .c_str());
  else
    std::printf("%s: %s in %s\n", asked.node.value.c_str(), word.c_str(), file.c_str());
  return done{};
}

} // namespace drover
