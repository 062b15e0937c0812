// Chance from a seed (splitmix64): the same seed draws the same numbers everywhere. Rule: whoever
// needs luck is given one of these; distributions of the standard library are not used, because
// they differ between libraries.
#pragma once

#include <cstdint>
#include <string_view>

namespace drover {

class luck {
public:
  explicit constexpr luck(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    return mixed(state_);
  }
  /// 0 to `bound` - 1; 0 for a bound of 0.
  constexpr std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  /// True once in a while: so many times of a million.
  constexpr bool chance(std::uint32_t per_million) { return below(1'000'000) < per_million; }
  /// Luck of its own for one part, so that what one part draws does not change another's luck.
  constexpr luck fork(std::string_view part) const {
    std::uint64_t hash = mixed(state_ ^ 0x51ed270b7a3c45e9U);
    for (const char c : part)
      hash = mixed(hash ^ static_cast<unsigned char>(c));
    return luck{hash};
  }

  /// A well-spread number for a number: luck that does not depend on who draws first.
  static constexpr std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

private:
  std::uint64_t state_;
};

} // namespace drover
