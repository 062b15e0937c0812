#include "metrics/catalogue.hpp"

#include "metrics/catalogue_parts.hpp"
#include "runtime/base/check.hpp"

#include <array>
#include <cstddef>

namespace drover {
namespace {

std::vector<series> in_order() {
  std::vector<series> all;
  for (auto part : {migration_series(), node_series()})
    all.insert(all.end(), part.begin(), part.end());
  for (std::size_t i = 0; i < all.size(); ++i)
    DROVER_CHECK(static_cast<std::size_t>(all[i].id) == i, "the catalogue is ordered by id");
  return all;
}

} // namespace

std::string_view to_string(series_kind kind) {
  constexpr std::array<std::string_view, 3> names{"counter", "gauge", "histogram"};
  return names[static_cast<std::size_t>(kind)];
}

std::span<const series> catalogue() {
  static const auto all = in_order();
  return all;
}

const series& describe(series_id id) { return catalogue()[static_cast<std::size_t>(id)]; }

} // namespace drover
