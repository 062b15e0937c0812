#include "runtime/store/store_log_text.hpp"

#include "runtime/store/record_json.hpp"
#include "runtime/wire/json_reader.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace drover {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view digits = "0123456789abcdef";

std::string as_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto value = static_cast<unsigned char>(c);
    out += digits[value >> 4U];
    out += digits[value & 15U];
  }
  return out;
}

/// False where it is no such text.
bool from_hex(std::string_view text, std::string& bytes) {
  if (text.size() % 2 != 0)
    return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digits.find(text[i]);
    const auto low = digits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos)
      return false;
    bytes += static_cast<char>(high * 16 + low);
  }
  return true;
}

/// A config may hold any bytes, a JSON string only UTF-8.
void put_text(ordered_json& line, const std::string& text) {
  try {
    (void)nlohmann::json(text).dump();
    line["text"] = text;
  } catch (const nlohmann::json::exception&) {
    line["bytes"] = as_hex(text);
  }
}

struct change_writer {
  ordered_json& line;

  void operator()(const config_placed& change) const {
    line["op"] = "place";
    line["vm"] = change.vm.value;
    line["owner"] = change.owner.value;
    if (change.text)
      put_text(line, *change.text);
  }
  void operator()(const config_removed& change) const {
    line["op"] = "remove";
    line["vm"] = change.vm.value;
  }
  void operator()(const record_written& change) const {
    line["op"] = "record";
    line["record"] = ordered_json::parse(record_text(change.record));
  }
  void operator()(const record_removed& change) const {
    line["op"] = "forget";
    line["vm"] = change.vm.value;
  }
  void operator()(const lock_taken& change) const {
    line["op"] = "lock";
    line["name"] = change.name;
    line["holder"] = change.holder;
    line["through"] = change.node.value;
  }
  void operator()(const lock_removed& change) const {
    line["op"] = "unlock";
    line["name"] = change.name;
  }
  void operator()(const nothing_changed&) const { line["op"] = "touch"; }
};

vm_id read_vm(wire::object_reader& from) { return vm_id{from.required<std::uint32_t>("vm")}; }

config_text read_text(wire::object_reader& from) {
  if (from.look("text"))
    return std::make_shared<const std::string>(from.required<std::string>("text"));
  if (!from.look("bytes"))
    return nullptr;
  std::string bytes;
  if (!from_hex(from.required<std::string>("bytes"), bytes))
    from.refuse("bytes", "expected pairs of hexadecimal digits");
  return std::make_shared<const std::string>(std::move(bytes));
}

store_change read_record(wire::object_reader& from) {
  const auto* field = from.look("record");
  if (!field) {
    from.refuse("record", "is missing");
    return nothing_changed{};
  }
  auto record = parse_record(field->dump());
  if (!record) {
    from.refuse("record", record.error().what);
    return nothing_changed{};
  }
  return record_written{std::move(*record)};
}

store_change read_change(wire::object_reader& from) {
  const auto op = from.required<std::string>("op");
  if (op == "place") {
    const auto vm = read_vm(from);
    const node_id owner{from.required<std::string>("owner")};
    return config_placed{vm, owner, read_text(from)};
  }
  if (op == "remove")
    return config_removed{read_vm(from)};
  if (op == "record")
    return read_record(from);
  if (op == "forget")
    return record_removed{read_vm(from)};
  if (op == "lock")
    return lock_taken{
      from.required<std::string>("name"), from.required<std::string>("holder"),
      node_id{from.required<std::string>("through")}};
  if (op == "unlock")
    return lock_removed{from.required<std::string>("name")};
  if (op != "touch")
    from.refuse(
      "op",
      "expected one of place, remove, record, forget, lock, unlock, touch, found \"" + op + "\"");
  return nothing_changed{};
}

} // namespace

std::string entry_line(const log_entry& entry) {
  ordered_json line;
  line["at"] = entry.at.count();
  line["node"] = entry.author.value;
  std::visit(change_writer{line}, entry.change);
  // Names that came from outside may not be UTF-8; a replaced letter is better than no entry.
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

result<log_entry> parse_entry(std::string_view line, const std::string& origin) {
  const auto document = wire::parse_json_line(line);
  if (!document)
    return fail(errc::invalid, document.error().what, origin);
  wire::object_reader root(*document, "");
  log_entry entry;
  entry.at = log_time{root.required<std::int64_t>("at")};
  entry.author = node_id{root.required<std::string>("node")};
  entry.change = read_change(root);
  if (const auto ok = root.finish(); !ok)
    return fail(errc::invalid, to_string(ok.error()), origin);
  return entry;
}

} // namespace drover
