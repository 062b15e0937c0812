#include "runtime/link/ssh/known_hosts.hpp"

#include "runtime/link/ssh/ssh_bytes.hpp"

#include <algorithm>

namespace drover::ssh {
namespace {

constexpr std::string_view blanks = " \t\r";

/// Takes the next word off `line`.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const auto word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// `*` stands for any text, `?` for one letter. Walks back to the last star only, so that a line
/// of stars costs no more than its length times the name's.
bool fits(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool names_host(std::string_view names, const std::string& name, const hashed_name_test& is_hash) {
  if (names.starts_with('|'))
    return is_hash && is_hash(names, name);
  bool found = false;
  while (!names.empty()) {
    const auto end = std::min(names.find(','), names.size());
    const auto pattern = lower(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
    if (pattern.starts_with('!') && fits(std::string_view{pattern}.substr(1), name))
      return false;
    found = found || fits(pattern, name);
  }
  return found;
}

std::vector<std::string_view> checkable_types() {
  std::vector<std::string_view> types;
  for (auto rest = host_key_types; !rest.empty();) {
    const auto end = std::min(rest.find(','), rest.size());
    types.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return types;
}

std::string listed_types(const std::vector<known_key>& known) {
  std::string text;
  for (const auto& key : known)
    if (!key.revoked && text.find(key.type) == std::string::npos)
      text += (text.empty() ? "" : ", ") + key.type;
  return text;
}

} // namespace

std::string known_hosts_name(std::string_view host, std::uint16_t port) {
  const auto name = lower(host);
  return port == 22 ? name : "[" + name + "]:" + std::to_string(port);
}

std::vector<known_key> known_keys_of(
  std::string_view file, const std::string& name, const hashed_name_test& is_hash_of) {
  std::vector<known_key> found;
  for (std::size_t number = 1; !file.empty(); ++number) {
    const auto end = std::min(file.find('\n'), file.size());
    auto line = file.substr(0, end);
    file.remove_prefix(std::min(end + 1, file.size()));
    auto names = next_word(line);
    const bool revoked = names == "@revoked";
    // A certificate authority signs keys of a kind that libssh2 does not know.
    if (names.empty() || names.starts_with('#') || (names.starts_with('@') && !revoked))
      continue;
    if (revoked)
      names = next_word(line);
    const auto type = next_word(line), key = next_word(line);
    if (!key.empty() && names_host(names, name, is_hash_of))
      found.push_back({number, std::string{type}, std::string{key}, revoked});
  }
  return found;
}

std::string host_key_types_to_ask(const std::vector<known_key>& known) {
  std::string asked;
  for (const auto type : checkable_types())
    if (std::any_of(known.begin(), known.end(), [type](const auto& k) {
          return k.type == type && !k.revoked;
        }))
      asked += (asked.empty() ? "" : ",") + std::string{type};
  return asked.empty() ? std::string{host_key_types} : asked;
}

result<done> check_host_key(
  const std::vector<known_key>& known, const host_key& shown, const host_names& who) {
  const auto blob = base64(shown.blob);
  const auto key = shown.type + " " + shown.fingerprint;
  const auto place = [&who](const known_key& k) {
    return who.known_hosts_path + ":" + std::to_string(k.line);
  };
  for (const auto& k : known)
    if (k.revoked && k.blob_base64 == blob)
      return fail(errc::refused, "the host key of " + who.name + " is revoked by " + place(k), key);
  const known_key* other = nullptr;
  for (const auto& k : known) {
    if (k.revoked)
      continue;
    if (k.type == shown.type && k.blob_base64 == blob)
      return done{};
    if (k.type == shown.type && !other)
      other = &k;
  }
  if (other)
    return fail(
      errc::refused,
      "the host key of " + who.name + " has CHANGED: either the node was installed anew, or " +
        "somebody else answers at its address. If you know that the new key is right, delete " +
        place(*other) + " and run: drover node trust " + who.node,
      "it shows " + key);
  if (const auto types = listed_types(known); !types.empty())
    return fail(
      errc::refused,
      who.known_hosts_path + " knows " + who.name + " by " + types +
        " only, and the node shows a key of another type. Compare the fingerprint with the " +
        "node's own, then run: drover node trust " + who.node,
      "it shows " + key);
  return fail(
    errc::refused,
    "the host key of " + who.name + " is not known. Compare the fingerprint with the node's own " +
      "(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then run: drover node trust " + who.node,
    "it shows " + key);
}

std::string known_hosts_line(const std::string& name, const host_key& key) {
  return name + " " + key.type + " " + base64(key.blob) + "\n";
}

} // namespace drover::ssh
