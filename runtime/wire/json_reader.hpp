// Strict reading of files in JSON: cluster files, scenarios, records. Rule: unlike on the wire, an
// unknown field is an error; a reader keeps the first error only, with its path and what would be
// right, and goes on with harmless values, so that a parser is a straight list of reads:
//
//   auto document = wire::parse_json(text);                       // result<nlohmann::json>
//   wire::object_reader root(*document, "");
//   file.name = root.required<std::string>("name");
//   file.slots = root.optional<std::uint32_t>("slots", 4);
//   root.each("nodes", [&](wire::object_reader& node, std::size_t) {
//     file.nodes.push_back(node.required<node_id>("name"));
//   });
//   if (auto ok = root.finish(); !ok) return tl::unexpected(ok.error());
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/wire/json_fields.hpp"

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace drover::wire {

/// A whole document. Errors name line and column; a key given twice is an error too.
result<nlohmann::json> parse_json(std::string_view text);
/// The same without the look for repeated keys, for the wire; it costs nothing on good input.
result<nlohmann::json> parse_json_line(std::string_view text);

class object_reader {
public:
  /// `path` is where `object` stands in its document, "" for the document itself. `object` must
  /// outlive the reader.
  object_reader(const nlohmann::json& object, std::string path);

  /// The field's value; a value of no meaning after an error.
  template <class T>
  T required(const std::string& key) {
    T value = blank<T>();
    if (const auto* member = look(key))
      read(key, *member, value);
    else
      refuse(key, "is missing");
    return value;
  }

  /// The field's value, or `fallback` where the field is missing.
  template <class T>
  T optional(const std::string& key, T fallback) {
    if (const auto* member = look(key))
      read(key, *member, fallback);
    return fallback;
  }

  /// The field where it is present: for values of more than one shape. Marks the field as known.
  const nlohmann::json* look(const std::string& key);

  /// A field that is an object of its own; its errors are this reader's. An error when missing.
  object_reader object(const std::string& key);
  /// The elements of a list of objects, each read to its end by `visit` and then closed by
  /// `refuse_unknown`. Nothing happens where the field is missing; ask `look` when it must be
  /// there.
  void each(
    const std::string& key,
    const std::function<void(object_reader& element, std::size_t index)>& visit);
  /// The members of an object of objects, likewise.
  void each_member(
    const std::string& key,
    const std::function<void(object_reader& member, const std::string& name)>& visit);

  /// Notes an error of the caller's own at the field `key` ("" = at this object). Only the first
  /// error of a document is kept.
  void refuse(const std::string& key, std::string what);
  /// An error at the first field that nobody asked for.
  void refuse_unknown();

  /// False once there is an error, anywhere in the document.
  bool good() const { return !*fault_; }
  const std::string& path() const { return path_; }
  /// `refuse_unknown`, then the first error if there is one.
  result<done> finish();

private:
  object_reader(
    const nlohmann::json* object, std::string path, std::shared_ptr<std::optional<error>> fault);

  template <class T>
  void read(const std::string& key, const nlohmann::json& from, T& to) {
    json_fault fault;
    if (!decode_json(from, to, fault))
      note(path_ + path_step(key) + fault.path, fault.what);
  }
  void note(std::string path, std::string what);

  const nlohmann::json* object_; ///< null: not an object, which is an error already noted
  std::string path_;
  std::set<std::string> known_;
  std::shared_ptr<std::optional<error>> fault_;
};

} // namespace drover::wire
