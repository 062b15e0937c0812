#include "runtime/wire/codec.hpp"

#include "runtime/wire/foreign_hello.hpp"
#include "runtime/wire/json_fields.hpp"
#include "runtime/wire/json_reader.hpp"

#include <array>
#include <type_traits>
#include <utility>

namespace drover::wire {

/// A word that came later stands for a state that this version does not know.
template <>
struct enum_text<run_state> {
  static std::optional<run_state> from_string(std::string_view text) {
    return run_state_from_string(text).value_or(run_state::other);
  }
};
template <>
struct enum_text<stream_kind> {
  static constexpr auto from_string = &stream_kind_from_string;
};
template <>
struct enum_text<stream_end> {
  static constexpr auto from_string = &stream_end_from_string;
};

namespace {

using json = nlohmann::json;
using text_json = nlohmann::ordered_json;

/// In the order of `reply_body`.
constexpr std::array<const char*, std::variant_size_v<reply_body>> reply_names{
  "accepted", "hello_reply", "vm_list", "vm_status", "begun",  "stream_offer",
  "outcome",  "taken_over",  "claimed", "voided",    "clocks", "handover_parts"};

/// The range that JSON-RPC leaves to servers starts at -32000; the word in `data` is what counts.
constexpr int error_number(errc code) { return -32000 - static_cast<int>(code); }

std::string dump(const text_json& message) {
  return message.dump(-1, ' ', false, text_json::error_handler_t::replace);
}

/// The line in quotes, printable and cut short.
std::string quote(std::string_view line) {
  std::string text = "'";
  for (const char c : line.substr(0, quoted_chars_max))
    text += c >= ' ' && c <= '~' ? c : '?';
  return text + (line.size() > quoted_chars_max ? "'..." : "'");
}

error bad_line(error why, std::string_view line) {
  why.context = quote(line);
  return why;
}

/// The members of a message that both directions share; `fault` is set where one is wrong.
struct envelope {
  json document;
  std::optional<error> fault;

  explicit envelope(std::string_view line) {
    auto parsed = parse_json_line(line);
    if (!parsed) {
      fault = std::move(parsed.error());
      return;
    }
    document = std::move(*parsed);
    if (!document.is_object())
      note({}, "expected an object");
    else if (const auto* version = member("jsonrpc"); !version || *version != "2.0")
      note("/jsonrpc", "expected \"2.0\"");
  }

  const json* member(const char* key) const {
    const auto found = document.find(key);
    return found == document.end() ? nullptr : &*found;
  }

  void note(std::string path, std::string what) {
    if (!fault)
      fault = to_error({std::move(path), std::move(what)});
  }

  template <class T>
  T required(const char* key) {
    T value{};
    if (fault)
      return value;
    const auto* from = member(key);
    json_fault found;
    if (!from)
      note(path_step(key), "is missing");
    else if (!decode_json(*from, value, found))
      note(path_step(key) + found.path, found.what);
    return value;
  }

  request_id id() {
    auto value = required<request_id>("id");
    if (!fault && (value.value.empty() || value.value.size() > request_id_chars_max))
      note("/id", "expected 1 to " + std::to_string(request_id_chars_max) + " bytes");
    return value;
  }
};

/// Decodes the alternative of `Variant` that `is_it` (called with a type's tag) points at.
template <class Variant, std::size_t N = 0, class Chosen>
result<Variant> decode_alternative(const json& from, std::string_view root, Chosen&& chosen) {
  if constexpr (N == std::variant_size_v<Variant>) {
    return fail(errc::invalid, "");
  } else {
    using type = std::variant_alternative_t<N, Variant>;
    if (!chosen(std::type_identity<type>{}, N))
      return decode_alternative<Variant, N + 1>(from, root, chosen);
    return decode_json<type>(from, root).map([](type&& v) { return Variant(std::move(v)); });
  }
}

template <class Variant>
bool is_method(std::string_view name) {
  return [name]<std::size_t... N>(std::index_sequence<N...>) {
    return ((name == std::variant_alternative_t<N, Variant>::method) || ...);
  }
  (std::make_index_sequence<std::variant_size_v<Variant>>{});
}

/// The body of a request or a notice: chosen by `method`, read from `params`.
template <class Variant>
std::optional<Variant> decode_params(envelope& from) {
  const auto method = from.required<std::string>("method");
  if (!from.fault && !is_method<Variant>(method))
    from.note("/method", "unknown method " + quote(method));
  static const json none = json::object();
  if (from.fault)
    return std::nullopt;
  const auto* params = from.member("params");
  auto body = decode_alternative<Variant>(
    params ? *params : none, "/params",
    [&method](auto tag, std::size_t) { return method == decltype(tag)::type::method; });
  if (body)
    return std::move(*body);
  from.fault = std::move(body.error());
  return std::nullopt;
}

std::optional<reply_body> decode_result(envelope& from, const json& value) {
  if (!value.is_object() || value.size() != 1) {
    from.note("/result", "expected an object with one member, the reply's type");
    return std::nullopt;
  }
  const auto only = value.begin();
  const std::string& name = only.key();
  for (std::size_t n = 0; n < reply_names.size(); ++n) {
    if (name != reply_names[n])
      continue;
    auto body = decode_alternative<reply_body>(
      *only, "/result" + path_step(name), [n](auto, std::size_t at) { return at == n; });
    if (body)
      return std::move(*body);
    from.fault = std::move(body.error());
    return std::nullopt;
  }
  from.note("/result", "unknown reply " + quote(name));
  return std::nullopt;
}

/// What `error.data` holds beyond JSON-RPC's own members. A code that came later is as good as
/// `bug`: an answer that this version does not know.
struct error_data {
  std::string code;
  std::string context;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("code", s.code), f("context", s.context);
  }
};

struct error_object {
  std::string message;
  error_data data;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("message", s.message), f("data", s.data);
  }
};

std::optional<reply> decode_reply(envelope& from) {
  reply message{{}, fail(errc::bug, "")};
  // JSON-RPC answers a request whose id could not be read with the id null.
  const auto* id = from.member("id");
  if (!id || !id->is_null())
    message.id = from.id();
  const auto* value = from.member("result");
  const auto* failure = from.member("error");
  if (!from.fault && (value != nullptr) == (failure != nullptr))
    from.note({}, "expected one of result and error");
  if (from.fault)
    return std::nullopt;
  if (failure) {
    auto e = from.required<error_object>("error");
    message.body = fail(
      errc_from_string(e.data.code).value_or(errc::bug), std::move(e.message),
      std::move(e.data.context));
  } else if (auto body = decode_result(from, *value)) {
    message.body = std::move(*body);
  }
  return from.fault ? std::nullopt : std::optional(std::move(message));
}

} // namespace

std::string encode(const request& message) {
  text_json out = {{"jsonrpc", "2.0"}, {"id", message.id.value}};
  std::visit(
    [&out, &message](const auto& body) {
      out["method"] = body.method;
      out["deadline_ms"] = message.deadline.count();
      out["params"] = encode_json<text_json>(body);
    },
    message.body);
  return dump(out);
}

std::string encode(const reply& message) {
  text_json out = {{"jsonrpc", "2.0"}, {"id", message.id.value}};
  if (message.id.value.empty())
    out["id"] = nullptr;
  if (message.body) {
    auto& name = out["result"][reply_names[message.body->index()]];
    name = std::visit([](const auto& body) { return encode_json<text_json>(body); }, *message.body);
  } else {
    const error& e = message.body.error();
    out["error"] = {
      {"code", error_number(e.code)},
      {"message", e.what},
      {"data", encode_json<text_json>(error_data{std::string{to_string(e.code)}, e.context})}};
  }
  return dump(out);
}

std::string encode(const notice& message) {
  text_json out = {{"jsonrpc", "2.0"}};
  std::visit(
    [&out](const auto& body) {
      out["method"] = body.method;
      out["params"] = encode_json<text_json>(body);
    },
    message);
  return dump(out);
}

result<request> decode_request(std::string_view line) {
  envelope from(line);
  request message;
  message.id = from.id();
  if (auto body = decode_params<request_body>(from))
    message.body = std::move(*body);
  message.deadline = from.required<milliseconds>("deadline_ms");
  if (message.deadline > deadline_max)
    from.note("/deadline_ms", "expected at most " + std::to_string(deadline_max.count()));
  if (from.fault) {
    if (auto foreign = foreign_hello(from.document); foreign && !message.id.value.empty())
      return request{std::move(message.id), message.deadline, std::move(*foreign)};
    return tl::unexpected<error>(bad_line(std::move(*from.fault), line));
  }
  return message;
}

result<from_agent> decode_from_agent(std::string_view line) {
  envelope from(line);
  if (!from.fault && from.member("method")) {
    if (from.member("id"))
      from.note("/id", "an agent asks nothing");
    if (auto body = decode_params<notice>(from))
      return from_agent(std::move(*body));
  } else if (!from.fault) {
    if (auto message = decode_reply(from))
      return from_agent(std::move(*message));
    if (auto foreign = foreign_hello_reply(from.document))
      if (auto id = id_of(line))
        return from_agent(reply{std::move(*id), std::move(*foreign)});
  }
  return tl::unexpected<error>(bad_line(std::move(*from.fault), line));
}

std::optional<request_id> id_of(std::string_view line) {
  const json document = json::parse(line, nullptr, false);
  if (!document.is_object())
    return std::nullopt;
  const auto id = document.find("id");
  if (id == document.end() || !id->is_string())
    return std::nullopt;
  const auto& text = id->get_ref<const std::string&>();
  if (text.empty() || text.size() > request_id_chars_max)
    return std::nullopt;
  return request_id(text);
}

std::string_view method_name(const request_body& body) {
  return std::visit([](const auto& b) { return std::string_view(b.method); }, body);
}

std::string_view type_name(const reply_body& body) { return reply_names[body.index()]; }

bool answers(const request_body& asked, const reply_body& body) {
  return std::visit(
    [&body](const auto& a) {
      return std::holds_alternative<typename std::remove_cvref_t<decltype(a)>::answer>(body);
    },
    asked);
}

} // namespace drover::wire
