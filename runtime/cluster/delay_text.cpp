#include "runtime/cluster/delay_text.hpp"

#include "runtime/cluster/checked_values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace drover {
namespace {

/// From the largest down.
constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{{
  {"m", 60'000'000'000},
  {"s", 1'000'000'000},
  {"ms", 1'000'000},
  {"us", 1'000},
  {"ns", 1},
}};

constexpr nanoseconds longest = std::chrono::hours{24};
constexpr std::uint32_t million = 1'000'000;
/// Digits before and after the point together; what a day in nanoseconds needs.
constexpr std::size_t digits_max = 14;

/// A decimal number as a whole number of `scale`-ths.
struct decimal {
  std::int64_t value = 0;
  std::int64_t scale = 1;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "12" or "1.5"; nullopt when it is anything else.
std::optional<decimal> parse_decimal(std::string_view text) {
  const auto point = std::min(text.find('.'), text.size());
  const auto whole = text.substr(0, point);
  const auto part = point == text.size() ? std::string_view{} : text.substr(point + 1);
  const bool point_is_last = point + 1 == text.size();
  if (whole.empty() || point_is_last || whole.size() + part.size() > digits_max)
    return std::nullopt;
  if (!std::all_of(whole.begin(), whole.end(), is_digit))
    return std::nullopt;
  decimal number;
  for (const char c : whole)
    number.value = number.value * 10 + (c - '0');
  for (const char c : part) {
    if (!is_digit(c))
      return std::nullopt;
    number.value = number.value * 10 + (c - '0');
    number.scale *= 10;
  }
  return number;
}

/// Why the delay cannot be drawn from, at which of its fields; empty when it can.
std::pair<std::string, std::string> objection(const delay_range& delay) {
  if (delay.most < delay.least)
    return {"most", "is less than the least, " + format_time_span(delay.least)};
  if (delay.slow_per_million > 0 && delay.slow_most < delay.most)
    return {"slow_most", "is less than the most, " + format_time_span(delay.most)};
  return {};
}

delay_range read_range(wire::object_reader from) {
  delay_range delay;
  delay.least = read_time_span(from, "least", nanoseconds{0});
  if (from.good() && !from.look("most"))
    from.refuse("most", "is missing: a time with its unit, like \"5ms\"");
  delay.most = read_time_span(from, "most", delay.least);
  delay.slow_per_million = read_number(from, "slow_per_million", 0, 0, million);
  if (from.good() && delay.slow_per_million > 0 && !from.look("slow_most"))
    from.refuse("slow_most", "is missing: how long the slow ones take, like \"2s\"");
  delay.slow_most = read_time_span(from, "slow_most", nanoseconds{0});
  from.refuse_unknown();
  if (const auto [key, what] = objection(delay); from.good() && !what.empty())
    from.refuse(key, what);
  return delay;
}

tl::unexpected<error> no_delay() {
  return fail(
    errc::invalid, "expected a delay, like \"100ms\", \"1ms..5ms\" or \"1ms..5ms,1000:2s\"");
}

} // namespace

result<nanoseconds> parse_time_span(std::string_view text) {
  const auto bad = [] {
    return fail(
      errc::invalid, "expected a time with its unit (ns, us, ms, s, m), like 100ms or 2s");
  };
  if (text == "0")
    return nanoseconds{0};
  const auto unit_at = text.find_first_not_of("0123456789.");
  if (unit_at == std::string_view::npos)
    return bad();
  const auto number = parse_decimal(text.substr(0, unit_at));
  const auto* const unit = std::find_if(
    units.begin(), units.end(), [&](const auto& u) { return u.first == text.substr(unit_at); });
  if (!number || unit == units.end())
    return bad();
  // In two steps, because a day of minutes' digits would not fit.
  const auto whole = number->value / number->scale;
  if (whole > longest.count() / unit->second)
    return fail(errc::invalid, "a day is the longest time");
  const auto rest = number->value % number->scale;
  const auto part = static_cast<std::int64_t>(
    static_cast<long double>(rest) * static_cast<long double>(unit->second) /
      static_cast<long double>(number->scale) +
    0.5L);
  return nanoseconds{whole * unit->second + part};
}

std::string format_time_span(nanoseconds span) {
  if (span.count() == 0)
    return "0";
  const auto* const unit = std::find_if(
    units.begin(), units.end(), [&](const auto& u) { return span.count() % u.second == 0; });
  return std::to_string(span.count() / unit->second) + std::string(unit->first);
}

nanoseconds read_time_span(
  wire::object_reader& from, const std::string& key, nanoseconds fallback) {
  const auto* field = from.look(key);
  if (!field)
    return fallback;
  if (!field->is_string()) {
    from.refuse(
      key, "expected a time with its unit in quotes, like \"100ms\", found " +
             std::string(field->is_number() ? field->dump() : "something else"));
    return fallback;
  }
  const auto span = parse_time_span(field->get_ref<const std::string&>());
  if (!span)
    from.refuse(key, span.error().what);
  return span.value_or(fallback);
}

delay_range read_delay(
  wire::object_reader& from, const std::string& key, const delay_range& fallback) {
  const auto* field = from.look(key);
  if (!field)
    return fallback;
  if (field->is_object())
    return read_range(from.object(key));
  if (!field->is_string()) {
    from.refuse(
      key, "expected a time like \"100ms\", or an object with least and most, found " +
             std::string(field->is_number() ? field->dump() : "something else"));
    return fallback;
  }
  return exactly(read_time_span(from, key, fallback.least));
}

std::string format_delay(const delay_range& delay) {
  auto text = format_time_span(delay.least);
  if (delay.most != delay.least || delay.slow_per_million > 0)
    text += ".." + format_time_span(delay.most);
  if (delay.slow_per_million > 0)
    text += "," + std::to_string(delay.slow_per_million) + ":" + format_time_span(delay.slow_most);
  return text;
}

result<delay_range> parse_delay(std::string_view text) {
  delay_range delay;
  const auto comma = std::min(text.find(','), text.size());
  const auto range = text.substr(0, comma);
  const auto dots = range.find("..");
  const auto least = parse_time_span(range.substr(0, dots));
  const auto most =
    dots == std::string_view::npos ? least : parse_time_span(range.substr(dots + 2));
  if (!least || !most)
    return no_delay();
  delay.least = *least;
  delay.most = *most;
  if (comma < text.size()) {
    const auto slow = text.substr(comma + 1);
    const auto colon = slow.find(':');
    if (colon == std::string_view::npos)
      return no_delay();
    const auto slow_most = parse_time_span(slow.substr(colon + 1));
    const auto* const end = slow.data() + colon;
    const auto parsed = std::from_chars(slow.data(), end, delay.slow_per_million);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == end;
    if (!slow_most || !whole || delay.slow_per_million > million)
      return no_delay();
    delay.slow_most = *slow_most;
  }
  if (const auto [key, what] = objection(delay); !what.empty())
    return fail(errc::invalid, "the delay's " + key + " " + what, std::string(text));
  return delay;
}

} // namespace drover
