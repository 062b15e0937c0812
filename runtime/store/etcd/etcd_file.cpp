#include "runtime/store/etcd/etcd_file.hpp"

#include "runtime/wire/json_reader.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace drover {
namespace {

tl::unexpected<error> in_file(error why, const std::string& origin) {
  why.context = why.context.empty() ? origin : origin + ": " + why.context;
  return tl::unexpected{std::move(why)};
}

std::filesystem::path read_path(
  wire::object_reader& from, const std::string& key, const std::filesystem::path& directory) {
  const auto text = from.optional(key, std::string{});
  return text.empty() ? std::filesystem::path{} : directory / text;
}

} // namespace

result<etcd_file> parse_etcd_file(
  std::string_view text, const std::string& origin, const std::filesystem::path& directory) {
  const auto document = wire::parse_json(text);
  if (!document)
    return in_file(document.error(), origin);
  wire::object_reader root(*document, "");
  etcd_file file;
  auto& reached = file.reached;
  reached.endpoints = root.required<std::vector<std::string>>("endpoints");
  file.prefix = root.optional("prefix", file.prefix);
  reached.ca = read_path(root, "ca", directory);
  reached.certificate = read_path(root, "certificate", directory);
  reached.key = read_path(root, "key", directory);
  reached.user = root.optional("user", reached.user);
  reached.password = root.optional("password", reached.password);
  if (const auto fault = etcd::fault_of(reached, file.prefix); root.good() && fault)
    root.refuse(fault->field, fault->why);
  if (const auto ok = root.finish(); !ok)
    return in_file(ok.error(), origin);
  return file;
}

result<etcd_file> read_etcd_file(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  struct stat about {};
  if (!in || ::stat(path.c_str(), &about) != 0)
    return fail(
      errc::invalid, std::string{"cannot be read: "} + std::strerror(errno), path.string());
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  auto file = parse_etcd_file(text, path.string(), path.parent_path());
  constexpr mode_t of_others = S_IRWXG | S_IRWXO;
  if (file && !file->reached.password.empty() && (about.st_mode & of_others) != 0)
    return fail(
      errc::invalid,
      "holds a password and can be read by others; mend it with: chmod 600 " + path.string(),
      path.string());
  return file;
}

} // namespace drover
