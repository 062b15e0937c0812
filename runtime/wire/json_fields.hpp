// Structs to JSON and back, derived from the one list of fields that each struct has (`fields`).
// Rule: unknown fields are ignored (a newer peer may send more), missing ones are an error unless
// they are optional, and every error names its JSON path and what would be right. No exceptions.
// How values look on the wire is the table in runtime/wire/README.md.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/base/time.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace drover {

/// The codec's access to tickets: it may rebuild on one side what was issued on the other.
struct ticket_codec {
  static ticket blank() { return {}; }
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("vm", s.vm_), f("number", s.number_), f("source", s.source_), f("target", s.target_);
    f("how", s.how_);
  }
};

namespace wire {

/// Where a decoder stopped, relative to the value it was given: "/evidence/number".
struct json_fault {
  std::string path;
  std::string what;
};

/// `errc::invalid` with "<root><path>: <what>".
error to_error(const json_fault& fault, std::string_view root = {});
/// "/key", with the characters escaped that mean something in a JSON path.
std::string path_step(std::string_view key);

/// How the words of an enum are read: specialise with `static constexpr auto from_string`.
template <class E>
struct enum_text;
template <>
struct enum_text<policy> {
  static constexpr auto from_string = &policy_from_string;
};
template <>
struct enum_text<record_state> {
  static constexpr auto from_string = &record_state_from_string;
};
template <>
struct enum_text<source_outcome> {
  static constexpr auto from_string = &source_outcome_from_string;
};
template <>
struct enum_text<errc> {
  static constexpr auto from_string = &errc_from_string;
};

namespace detail {

/// Largest instant in microseconds that still fits into 64 bits of nanoseconds.
inline constexpr std::int64_t microseconds_max = std::numeric_limits<std::int64_t>::max() / 1000;

template <class T>
inline constexpr bool is_strong_id = false;
template <class Tag, class Value>
inline constexpr bool is_strong_id<strong_id<Tag, Value>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class T>
inline constexpr bool is_map<std::map<std::string, T>> = true;
template <class T>
inline constexpr bool is_duration = false;
template <class R, class P>
inline constexpr bool is_duration<std::chrono::duration<R, P>> = true;

struct field_probe {
  template <class V>
  void operator()(const char*, V&) const {}
};
template <class T>
concept has_fields = requires(T& t) {
  T::fields(t, field_probe{});
};

template <class T, class F>
void each_field(T& value, F&& f) {
  if constexpr (std::is_same_v<std::remove_const_t<T>, ticket>)
    ticket_codec::fields(value, f);
  else
    T::fields(value, f);
}

/// Fills `fault` with "expected <right>, found <what is there>"; always false.
bool mismatch(const nlohmann::json& found, std::string_view right, json_fault& fault);
bool read_signed(
  const nlohmann::json& from, std::int64_t min, std::int64_t max, std::int64_t& to,
  json_fault& fault);
bool read_unsigned(
  const nlohmann::json& from, std::uint64_t max, std::uint64_t& to, json_fault& fault);
bool read_double(const nlohmann::json& from, double& to, json_fault& fault);
bool read_bool(const nlohmann::json& from, bool& to, json_fault& fault);
bool read_string(const nlohmann::json& from, std::string& to, json_fault& fault);

template <class T>
bool read_integer(const nlohmann::json& from, T& to, json_fault& fault) {
  if constexpr (std::is_unsigned_v<T>) {
    std::uint64_t wide = 0;
    const bool ok = read_unsigned(from, std::numeric_limits<T>::max(), wide, fault);
    to = static_cast<T>(wide);
    return ok;
  } else {
    std::int64_t wide = 0;
    const bool ok =
      read_signed(from, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), wide, fault);
    to = static_cast<T>(wide);
    return ok;
  }
}

/// "check, nocheck, lock, early, claim, ticket": every value that has a word of its own.
template <class E>
std::string enum_words() {
  std::string words;
  for (unsigned n = 0; n <= std::numeric_limits<std::uint8_t>::max(); ++n) {
    const auto value = static_cast<E>(n);
    const std::string_view word = to_string(value);
    if (enum_text<E>::from_string(word) != value)
      continue;
    words += words.empty() ? "" : ", ";
    words += word;
  }
  return words;
}

} // namespace detail

/// A value to be filled by a decoder, also where it holds a ticket.
template <class T>
T blank() {
  if constexpr (std::is_same_v<T, ticket>) {
    return ticket_codec::blank();
  } else if constexpr (std::is_default_constructible_v<T>) {
    return T{};
  } else {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
    return T{ticket_codec::blank()};
#pragma GCC diagnostic pop
  }
}

/// `Json` is nlohmann::json, or nlohmann::ordered_json where the order of the fields is to stay.
template <class Json = nlohmann::json, class T>
Json encode_json(const T& value) {
  using namespace detail;
  if constexpr (std::is_enum_v<T>) {
    return Json(std::string(to_string(value)));
  } else if constexpr (is_strong_id<T>) {
    return encode_json<Json>(value.value);
  } else if constexpr (std::is_same_v<T, wall_time> || std::is_same_v<T, mono_time>) {
    return Json(value.time_since_epoch().count());
  } else if constexpr (is_duration<T>) {
    return Json(value.count());
  } else if constexpr (is_optional<T>) {
    return value ? encode_json<Json>(*value) : Json(nullptr);
  } else if constexpr (is_vector<T>) {
    Json array = Json::array();
    for (const auto& element : value)
      array.push_back(encode_json<Json>(element));
    return array;
  } else if constexpr (is_map<T>) {
    Json object = Json::object();
    for (const auto& [key, element] : value)
      object[key] = encode_json<Json>(element);
    return object;
  } else if constexpr (has_fields<T> || std::is_same_v<T, ticket>) {
    Json object = Json::object();
    each_field(value, [&object](const char* key, const auto& field) {
      if constexpr (is_optional<std::remove_cvref_t<decltype(field)>>)
        if (!field)
          return;
      object[key] = encode_json<Json>(field);
    });
    return object;
  } else {
    return Json(value);
  }
}

template <class T>
bool decode_json(const nlohmann::json& from, T& to, json_fault& fault);

namespace detail {

template <class T>
bool decode_enum(const nlohmann::json& from, T& to, json_fault& fault) {
  if (from.is_string())
    if (const auto value = enum_text<T>::from_string(from.get_ref<const std::string&>())) {
      to = *value;
      return true;
    }
  return mismatch(from, "one of " + enum_words<T>(), fault);
}

template <class T>
bool decode_vector(const nlohmann::json& from, std::vector<T>& to, json_fault& fault) {
  if (!from.is_array())
    return mismatch(from, "a list", fault);
  to.clear();
  to.reserve(from.size());
  for (const auto& element : from) {
    T value = blank<T>();
    if (!decode_json(element, value, fault)) {
      fault.path.insert(0, "/" + std::to_string(to.size()));
      return false;
    }
    to.push_back(std::move(value));
  }
  return true;
}

template <class T>
bool decode_map(const nlohmann::json& from, std::map<std::string, T>& to, json_fault& fault) {
  if (!from.is_object())
    return mismatch(from, "an object", fault);
  to.clear();
  for (const auto& [key, element] : from.items()) {
    T value = blank<T>();
    if (!decode_json(element, value, fault)) {
      fault.path.insert(0, path_step(key));
      return false;
    }
    to.emplace(key, std::move(value));
  }
  return true;
}

template <class T>
bool decode_fields(const nlohmann::json& from, T& to, json_fault& fault) {
  if (!from.is_object())
    return mismatch(from, "an object", fault);
  bool ok = true;
  each_field(to, [&](const char* key, auto& field) {
    if (!ok)
      return;
    const auto member = from.find(key);
    if (member == from.end()) {
      ok = is_optional<std::remove_cvref_t<decltype(field)>>;
      // Whatever this side would say by itself, the other has said nothing.
      if constexpr (is_optional<std::remove_cvref_t<decltype(field)>>)
        field.reset();
      else
        fault = {path_step(key), "is missing"};
    } else if (!decode_json(*member, field, fault)) {
      ok = false;
      fault.path.insert(0, path_step(key));
    }
  });
  return ok;
}

} // namespace detail

/// False: `fault` tells where and what would be right; `to` is then of no use.
template <class T>
bool decode_json(const nlohmann::json& from, T& to, json_fault& fault) {
  using namespace detail;
  if constexpr (std::is_same_v<T, nlohmann::json>) {
    to = from;
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    return read_bool(from, to, fault);
  } else if constexpr (std::is_integral_v<T>) {
    return read_integer(from, to, fault);
  } else if constexpr (std::is_same_v<T, double>) {
    return read_double(from, to, fault);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return read_string(from, to, fault);
  } else if constexpr (std::is_enum_v<T>) {
    return decode_enum(from, to, fault);
  } else if constexpr (is_strong_id<T>) {
    return decode_json(from, to.value, fault);
  } else if constexpr (std::is_same_v<T, wall_time> || std::is_same_v<T, mono_time>) {
    std::int64_t count = 0;
    const auto max =
      std::is_same_v<T, wall_time> ? microseconds_max : std::numeric_limits<std::int64_t>::max();
    const bool ok = read_signed(from, 0, max, count, fault);
    to = T{typename T::duration{count}};
    return ok;
  } else if constexpr (is_duration<T>) {
    std::int64_t count = 0;
    const auto max = std::chrono::duration_cast<T>(nanoseconds::max()).count();
    const bool ok = read_signed(from, 0, max, count, fault);
    to = T{count};
    return ok;
  } else if constexpr (is_optional<T>) {
    to.reset();
    return from.is_null() || decode_json(from, to.emplace(blank<typename T::value_type>()), fault);
  } else if constexpr (is_vector<T>) {
    return decode_vector(from, to, fault);
  } else if constexpr (is_map<T>) {
    return decode_map(from, to, fault);
  } else {
    return decode_fields(from, to, fault);
  }
}

/// The same as a result; `root` is the path of `from` in its document.
template <class T>
result<T> decode_json(const nlohmann::json& from, std::string_view root = {}) {
  T value = blank<T>();
  json_fault fault;
  if (!decode_json(from, value, fault))
    return tl::unexpected<error>(to_error(fault, root));
  return value;
}

} // namespace wire
} // namespace drover
