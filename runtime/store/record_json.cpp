#include "runtime/store/record_json.hpp"

#include <limits>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::json;

/// Reads the members of one object and keeps the first error.
class object_reader {
public:
  object_reader(std::string_view text, std::string_view origin) : origin_(origin) {
    try {
      object_ = json::parse(text);
    } catch (const json::exception& e) {
      note("$", e.what());
    }
    if (!failure_ && !object_.is_object())
      note("$", std::string("expected an object, got ") + object_.type_name());
  }

  std::uint64_t number(const char* key, std::uint64_t least, std::uint64_t greatest) {
    const json* member = find(key);
    if (!member)
      return least;
    if (
      !member->is_number_unsigned() || member->get<std::uint64_t>() < least ||
      member->get<std::uint64_t>() > greatest) {
      note(
        path(key), "expected a whole number from " + std::to_string(least) + " to " +
                     std::to_string(greatest) + ", got " + shown(*member));
      return least;
    }
    return member->get<std::uint64_t>();
  }

  std::string text(const char* key) {
    const json* member = find(key);
    if (!member)
      return {};
    if (!member->is_string()) {
      note(path(key), "expected a string, got " + shown(*member));
      return {};
    }
    return member->get<std::string>();
  }

  std::string text_or_none(const char* key) {
    return failure_ || object_.contains(key) ? text(key) : std::string{};
  }

  /// A string that `from` knows; `words` tells what would be right.
  template <class T>
  T word(const char* key, std::optional<T> (*from)(std::string_view), std::string_view words) {
    const auto value = text(key);
    const auto known = from(value);
    if (!failure_ && !known)
      note(path(key), "expected one of " + std::string(words) + ", got \"" + value + "\"");
    return known.value_or(T{});
  }

  std::string name(const char* key) {
    auto value = text(key);
    if (!failure_ && value.empty())
      note(path(key), "must not be empty");
    return value;
  }

  template <class T>
  result<T> finish(T value) {
    if (failure_)
      return tl::unexpected(*failure_);
    return value;
  }

private:
  static std::string path(const char* key) { return std::string("$.") + key; }

  static std::string shown(const json& value) {
    constexpr std::size_t longest = 40;
    const auto text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    return text.size() <= longest ? text : text.substr(0, longest) + "...";
  }

  const json* find(const char* key) {
    if (failure_)
      return nullptr;
    const auto found = object_.find(key);
    if (found != object_.end())
      return &*found;
    note(path(key), "is missing");
    return nullptr;
  }

  void note(const std::string& where, const std::string& what) {
    if (!failure_)
      failure_ = error{errc::invalid, where + ": " + what, origin_};
  }

  std::string origin_;
  json object_;
  std::optional<error> failure_;
};

std::string dumped(const nlohmann::ordered_json& object) {
  // Text that came from outside may not be UTF-8; a replaced letter is better than no record.
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace

std::string record_text(const handover_record& record) {
  nlohmann::ordered_json object;
  object["vm"] = record.vm.value;
  object["epoch"] = record.number.value;
  object["state"] = to_string(record.state);
  object["source"] = record.source.value;
  object["target"] = record.target.value;
  object["policy"] = to_string(record.how);
  object["controller"] = record.controller;
  object["outcome"] = to_string(record.outcome);
  if (!record.target_boot_id.empty())
    object["target_boot_id"] = record.target_boot_id;
  return dumped(object);
}

result<handover_record> parse_record(std::string_view text, std::string_view origin) {
  object_reader reader(text, origin);
  handover_record record;
  record.vm = vm_id{static_cast<std::uint32_t>(reader.number("vm", 1, 999999999))};
  record.number = epoch{reader.number("epoch", 0, std::numeric_limits<std::uint64_t>::max())};
  record.state = reader.word("state", record_state_from_string, "settled, moving");
  record.source = node_id{reader.name("source")};
  record.target = node_id{reader.name("target")};
  record.how = reader.word("policy", policy_from_string, policy_names());
  record.controller = reader.text("controller");
  record.outcome =
    reader.word("outcome", source_outcome_from_string, "unpublished, completed, kept, voided");
  record.target_boot_id = reader.text_or_none("target_boot_id");
  return reader.finish(std::move(record));
}

std::string lock_text(const store_lock& lock) {
  nlohmann::ordered_json object;
  object["name"] = lock.name;
  object["holder"] = lock.holder;
  return dumped(object);
}

result<store_lock> parse_lock(std::string_view text, std::string_view origin) {
  object_reader reader(text, origin);
  store_lock lock{reader.name("name"), reader.name("holder")};
  return reader.finish(std::move(lock));
}

} // namespace drover
