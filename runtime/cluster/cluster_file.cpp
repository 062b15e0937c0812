#include "runtime/cluster/cluster_file.hpp"

#include "runtime/cluster/checked_values.hpp"
#include "runtime/cluster/delay_text.hpp"
#include "runtime/cluster/text_file.hpp"
#include "runtime/wire/json_reader.hpp"

#include <arpa/inet.h>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace drover {
namespace {

/// 1 TiB/s: what is beyond is a slip of the pen.
constexpr std::uint32_t bandwidth_mib_s_max = 1024 * 1024;
constexpr std::size_t run_dir_max = socket_path_max - longest_socket_name.size();

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

/// The run directories that are taken already, by host (empty = this machine), and by whom.
using taken_places = std::map<std::pair<std::string, std::filesystem::path>, std::string>;

void read_run_dir(
  wire::object_reader& from, const std::filesystem::path& directory, taken_places& taken,
  cluster_node& node) {
  node.run_dir = read_path(from, "run_dir", directory);
  if (!from.good())
    return;
  const auto length = node.run_dir.native().size();
  if (length > run_dir_max)
    from.refuse(
      "run_dir", "is " + std::to_string(length) + " bytes long (" + node.run_dir.string() +
                   "), at most " + std::to_string(run_dir_max) +
                   " leave room for the sockets in it");
  if (const auto [place, is_new] =
        taken.emplace(std::pair{node.place.host, node.run_dir}, node.node.value);
      !is_new)
    from.refuse("run_dir", "is node " + place->second + "'s already; each node needs its own");
}

/// The lag at `key`; only a store whose views lag on purpose has one.
delay_range read_store_lag(
  wire::object_reader& from, const std::string& key, const cluster_file& file) {
  if (file.store != store_kind::lagging && from.look(key))
    from.refuse(key, "only a store of the kind \"lagging\" has a lag");
  return read_delay(from, key, file.store_lag);
}

void read_store(
  wire::object_reader& root, const std::filesystem::path& directory, cluster_file& file) {
  auto from = root.object("store");
  const auto kind = read_word(from, "kind", "pmxcfs", {"pmxcfs", "lagging", "etcd"});
  file.store = kind == "lagging" ? store_kind::lagging
               : kind == "etcd"  ? store_kind::etcd
                                 : store_kind::pmxcfs;
  file.store_path = read_path(from, "path", directory);
  file.store_lag = read_store_lag(from, "lag", file);
  from.refuse_unknown();
}

/// How the node is reached: `process` or `ssh`, the cluster's where the node says nothing.
link_kind read_link_kind(wire::object_reader& from, link_kind usual) {
  const std::string word = usual == link_kind::ssh ? "ssh" : "process";
  return read_word(from, "link", word, {"process", "ssh"}) == "ssh" ? link_kind::ssh
                                                                    : link_kind::process;
}

void read_link(
  wire::object_reader& from, const std::filesystem::path& directory, const cluster_file& file,
  cluster_node& node) {
  node.link = read_link_kind(from, file.link);
  if (node.link == link_kind::ssh)
    node.place = read_ssh_place(from, node.node.value, file.ssh, directory);
  else
    refuse_ssh_fields(from);
}

/// Other machines cannot reach a loopback address, so a node over ssh has none by default.
void read_migration_address(wire::object_reader& from, cluster_node& node) {
  if (node.link == link_kind::ssh && is_address(node.place.host))
    node.migration_address = node.place.host;
  else if (node.link == link_kind::ssh && !from.look("migration_address"))
    from.refuse(
      "migration_address",
      "is missing: the numeric address at which the other nodes reach this one, because its host "
      "is a name");
  node.migration_address = from.optional("migration_address", node.migration_address);
  if (!is_address(node.migration_address))
    from.refuse(
      "migration_address",
      "expected a numeric address like \"192.0.2.7\", found \"" + node.migration_address + "\"");
}

cluster_node read_node(
  wire::object_reader& from, const std::string& name, const std::filesystem::path& directory,
  const cluster_file& file, taken_places& taken) {
  cluster_node node;
  node.node = node_id{name};
  if (const auto why_not = node_name_objection(name); !why_not.empty())
    from.refuse("", why_not);
  read_link(from, directory, file, node);
  read_run_dir(from, directory, taken, node);
  node.memory_bytes = read_byte_size(from, "memory");
  node.reserve_bytes = read_byte_size(from, "reserve", 0);
  if (node.memory_bytes == 0)
    from.refuse("memory", "a node needs memory for guests");
  if (node.reserve_bytes >= node.memory_bytes)
    from.refuse("reserve", "leaves no memory for guests");
  read_migration_address(from, node);
  node.limits = read_node_limits(from, file.limits);
  node.store_lag = read_store_lag(from, "store_lag", file);
  node.bandwidth_mib_s = read_number(from, "bandwidth_mib_s", 0, 1, bandwidth_mib_s_max);
  return node;
}

void read_nodes(
  wire::object_reader& root, const std::filesystem::path& directory, cluster_file& file) {
  if (!root.look("nodes"))
    root.refuse("nodes", "is missing: an object with a member for each node");
  taken_places taken;
  root.each_member("nodes", [&](wire::object_reader& from, const std::string& name) {
    file.nodes.emplace(node_id{name}, read_node(from, name, directory, file, taken));
  });
  if (root.good() && file.nodes.empty())
    root.refuse("nodes", "a cluster needs at least one node");
}

void read_storages(
  wire::object_reader& root, const std::filesystem::path& directory, cluster_file& file) {
  root.each_member("storages", [&](wire::object_reader& from, const std::string& name) {
    if (name.empty() || name.find_first_of(":/, ") != std::string::npos)
      from.refuse("", "a storage's name has no colon, slash, comma or space");
    cluster_storage storage;
    storage.path = read_path(from, "path", directory);
    storage.shared = from.optional("shared", false);
    file.storages.emplace(name, std::move(storage));
  });
}

void read_programs(
  wire::object_reader& root, const std::filesystem::path& directory, cluster_file& file) {
  file.accel = read_word(root, "accel", file.accel, {"auto", "tcg", "kvm"});
  const auto stream = read_word(root, "stream", "tls", {"tls", "plain"});
  file.stream = stream_kind_from_string(stream).value_or(stream_kind::tls);
  file.channels = read_number(root, "channels", file.channels, 1, stream_channels_max);
  if (root.look("agent"))
    file.agent = read_path(root, "agent", directory);
  file.qemu = root.optional("qemu", file.qemu);
  if (file.qemu.find('/') != std::string::npos || file.qemu.empty())
    file.qemu = read_path(root, "qemu", directory).string();
}

} // namespace

std::string_view to_string(store_kind kind) {
  switch (kind) {
  case store_kind::pmxcfs:
    return "pmxcfs";
  case store_kind::lagging:
    return "lagging";
  case store_kind::etcd:
    return "etcd";
  }
  return "unknown";
}

result<cluster_file> parse_cluster_file(
  std::string_view text, const std::string& origin, const std::filesystem::path& directory) {
  const auto document = wire::parse_json(text);
  if (!document)
    return tl::unexpected<error>(in_file(document.error(), origin));
  wire::object_reader root(*document, "");
  cluster_file file;
  file.name = root.required<std::string>("name");
  if (root.good() && file.name.empty())
    root.refuse("name", "must not be empty");
  read_store(root, directory, file);
  file.limits = read_cluster_limits(root);
  file.link = read_link_kind(root, file.link);
  file.ssh = read_ssh_settings(root, directory);
  read_nodes(root, directory, file);
  read_storages(root, directory, file);
  read_programs(root, directory, file);
  if (const auto ok = root.finish(); !ok)
    return tl::unexpected<error>(in_file(ok.error(), origin));
  return file;
}

result<cluster_file> read_cluster_file(const std::filesystem::path& path) {
  const auto file = read_text_file(path);
  if (!file)
    return tl::unexpected<error>(file.error());
  return parse_cluster_file(file->text, path.string(), file->directory);
}

} // namespace drover
