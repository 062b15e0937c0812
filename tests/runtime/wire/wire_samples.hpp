// Samples of any struct with `fields`, made from the fields themselves: every field gets a value of
// its own, so that one that is lost or swapped on the way shows.
#pragma once

#include "runtime/wire/json_fields.hpp"
#include "runtime/wire/message.hpp"

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace drover::test {

class sample_maker {
public:
  template <class T>
  T make() {
    T value = wire::blank<T>();
    fill(value);
    return value;
  }

private:
  template <class T>
  void fill(T& value) {
    using namespace wire::detail;
    ++count_;
    if constexpr (std::is_same_v<T, bool>) {
      value = true;
    } else if constexpr (std::is_arithmetic_v<T>) {
      value = static_cast<T>(count_);
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = "text " + std::to_string(count_) + " \"\\\n\t\x7f\xc3\xa4/";
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(1);
    } else if constexpr (is_strong_id<T>) {
      fill(value.value);
    } else if constexpr (std::is_same_v<T, wall_time> || std::is_same_v<T, mono_time>) {
      value = T{typename T::duration{1'700'000'000'000'000 + count_}};
    } else if constexpr (is_duration<T>) {
      value = T{count_};
    } else if constexpr (is_optional<T>) {
      fill(value.emplace(wire::blank<typename T::value_type>()));
    } else if constexpr (is_vector<T>) {
      for (int n = 0; n < 2; ++n)
        value.push_back(make<typename T::value_type>());
    } else {
      each_field(value, [this](const char*, auto& field) { fill(field); });
    }
  }

  int count_ = 0;
};

/// One filled value of every alternative of a variant.
template <class Variant>
std::vector<Variant> one_of_each() {
  sample_maker maker;
  std::vector<Variant> all;
  [&]<std::size_t... N>(std::index_sequence<N...>) {
    (all.push_back(maker.make<std::variant_alternative_t<N, Variant>>()), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Variant>>{});
  return all;
}

} // namespace drover::test
