#include "runtime/wire/json_reader.hpp"

#include <algorithm>
#include <utility>

namespace drover::wire {
namespace {

using json = nlohmann::json;

constexpr std::size_t reason_chars_max = 160;

/// Line and column (from 1) of the byte that the parser stumbled over.
std::string place(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return "line " + std::to_string(line) + ", column " +
         std::to_string(before.size() - line_start + 1);
}

/// The library's message without its prefix and without the token it had read, which may be huge.
std::string reason(std::string_view message) {
  const auto start = message.find("while parsing");
  if (start == std::string_view::npos)
    return "not JSON";
  message.remove_prefix(start);
  std::string text(message.substr(0, message.find("; last read: ")));
  const auto expected = message.rfind("; expected ");
  if (expected != std::string_view::npos && expected > text.size())
    text += message.substr(expected);
  return "not JSON: error " + text.substr(0, reason_chars_max);
}

/// Parses bad input once more, to be told what is wrong with it.
error explain(std::string_view text) {
  try {
    const json value = json::parse(text);
  } catch (const json::parse_error& e) {
    return {errc::invalid, place(text, e.byte) + ": " + reason(e.what()), {}};
  } catch (const json::exception&) {
    return {errc::invalid, "not JSON: a number is out of range", {}};
  }
  return {errc::bug, "JSON that parses only the second time", {}};
}

/// Watches a parser for keys that an object has twice.
class key_watch {
public:
  bool operator()(int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start)
      open_.emplace_back();
    else if (event == json::parse_event_t::object_end)
      open_.pop_back();
    else if (event == json::parse_event_t::key)
      if (!open_.back().insert(value.get<std::string>()).second && !repeated_)
        repeated_ = value.get<std::string>();
    return true;
  }
  const std::optional<std::string>& repeated() const { return repeated_; }

private:
  std::vector<std::set<std::string>> open_;
  std::optional<std::string> repeated_;
};

} // namespace

result<nlohmann::json> parse_json_line(std::string_view text) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded())
    return tl::unexpected<error>(explain(text));
  return value;
}

result<nlohmann::json> parse_json(std::string_view text) {
  key_watch watch;
  json value = json::parse(text, std::ref(watch), false);
  if (value.is_discarded())
    return tl::unexpected<error>(explain(text));
  if (watch.repeated())
    return fail(errc::invalid, "the field \"" + *watch.repeated() + "\" is given twice");
  return value;
}

object_reader::object_reader(const nlohmann::json& object, std::string path)
  : object_reader(&object, std::move(path), std::make_shared<std::optional<error>>()) {}

object_reader::object_reader(
  const nlohmann::json* object, std::string path, std::shared_ptr<std::optional<error>> fault)
  : object_(object), path_(std::move(path)), fault_(std::move(fault)) {
  if (!object_ || object_->is_object())
    return;
  json_fault found;
  detail::mismatch(*object_, "an object", found);
  note(path_, found.what);
  object_ = nullptr;
}

const nlohmann::json* object_reader::look(const std::string& key) {
  known_.insert(key);
  if (!object_)
    return nullptr;
  const auto member = object_->find(key);
  return member == object_->end() ? nullptr : &*member;
}

object_reader object_reader::object(const std::string& key) {
  const auto* member = look(key);
  if (!member)
    refuse(key, "is missing");
  return {member, path_ + path_step(key), fault_};
}

void object_reader::each(
  const std::string& key,
  const std::function<void(object_reader& element, std::size_t index)>& visit) {
  const auto* list = look(key);
  if (!list)
    return;
  const std::string list_path = path_ + path_step(key);
  if (!list->is_array()) {
    json_fault found;
    detail::mismatch(*list, "a list", found);
    note(list_path, found.what);
    return;
  }
  for (std::size_t index = 0; index < list->size(); ++index) {
    object_reader element(&(*list)[index], list_path + "/" + std::to_string(index), fault_);
    visit(element, index);
    element.refuse_unknown();
  }
}

void object_reader::each_member(
  const std::string& key,
  const std::function<void(object_reader& member, const std::string& name)>& visit) {
  const auto* object = look(key);
  if (!object)
    return;
  const std::string object_path = path_ + path_step(key);
  if (!object->is_object()) {
    json_fault found;
    detail::mismatch(*object, "an object", found);
    note(object_path, found.what);
    return;
  }
  for (const auto& [name, value] : object->items()) {
    object_reader member(&value, object_path + path_step(name), fault_);
    visit(member, name);
    member.refuse_unknown();
  }
}

void object_reader::refuse(const std::string& key, std::string what) {
  note(key.empty() ? path_ : path_ + path_step(key), std::move(what));
}

void object_reader::refuse_unknown() {
  if (!object_ || !good())
    return;
  for (const auto& member : object_->items()) {
    if (known_.count(member.key()))
      continue;
    std::string words;
    for (const auto& key : known_)
      words += (words.empty() ? "" : ", ") + key;
    refuse(
      member.key(),
      words.empty() ? "unknown field; none is known here" : "unknown field; known here: " + words);
    return;
  }
}

result<done> object_reader::finish() {
  refuse_unknown();
  if (!good())
    return tl::unexpected<error>(**fault_);
  return done{};
}

void object_reader::note(std::string path, std::string what) {
  if (good())
    *fault_ = to_error({std::move(path), std::move(what)});
}

} // namespace drover::wire
