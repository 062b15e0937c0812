// A Grafana dashboard as a value, and its JSON. Rule: whoever describes a panel says what it shows,
// why one looks at it, its unit and its queries; place, numbers and everything that all panels have
// in common are made here.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drover {

enum class panel_kind : std::uint8_t {
  value,   ///< one number for each series, now
  lines,   ///< over time
  areas,   ///< over time, one upon the other
  heat,    ///< buckets of a histogram over time
  columns, ///< one bar for each series, now
};

struct panel_query {
  std::string expression;
  std::string legend; ///< "{{label}}", or text
};

struct dashboard_panel {
  panel_kind kind = panel_kind::lines;
  std::string title;
  std::string description;
  std::string unit; ///< as Grafana names it: s, bytes, short, ...
  std::vector<panel_query> queries;
  std::uint32_t width = 12; ///< of 24
  /// From here on the value is drawn as bad; in lines also as a line.
  std::optional<double> bad_from;
};

enum class node_choice : std::uint8_t {
  many, ///< all, until somebody chooses
  one,
};

struct dashboard {
  std::string uid; ///< never changes: links and bookmarks hold it
  std::string title;
  std::string description;
  node_choice nodes = node_choice::many;
  std::vector<dashboard_panel> panels;
};

/// As it is committed, and as Grafana imports it.
nlohmann::ordered_json to_grafana(const dashboard& d);

/// All of them; in the files metrics/grafana/<uid>.json.
std::vector<dashboard> dashboards();

} // namespace drover
