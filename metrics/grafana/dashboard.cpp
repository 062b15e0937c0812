#include "metrics/grafana/dashboard.hpp"

#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

constexpr std::uint32_t columns_all = 24;
constexpr std::uint32_t panel_height = 8;
constexpr std::uint32_t value_height = 5;
/// The last one that Grafana 10 writes; later ones read it.
constexpr int schema_version = 39;

const ordered_json& source() {
  static const ordered_json chosen{{"type", "prometheus"}, {"uid", "${datasource}"}};
  return chosen;
}

std::string type_of(panel_kind kind) {
  switch (kind) {
  case panel_kind::value:
    return "stat";
  case panel_kind::lines:
  case panel_kind::areas:
    return "timeseries";
  case panel_kind::heat:
    return "heatmap";
  case panel_kind::columns:
    break;
  }
  return "bargauge";
}

bool is_about_now(panel_kind kind) {
  return kind == panel_kind::value || kind == panel_kind::columns;
}

ordered_json targets_of(const dashboard_panel& p) {
  ordered_json targets = ordered_json::array();
  for (std::size_t i = 0; i < p.queries.size(); ++i) {
    const bool now = is_about_now(p.kind);
    targets.push_back(
      {{"refId", std::string(1, static_cast<char>('A' + i))},
       {"datasource", source()},
       {"editorMode", "code"},
       {"expr", p.queries[i].expression},
       {"legendFormat", p.queries[i].legend},
       {"format", p.kind == panel_kind::heat ? "heatmap" : "time_series"},
       {"instant", now},
       {"range", !now}});
  }
  return targets;
}

ordered_json thresholds_of(const dashboard_panel& p) {
  ordered_json steps = ordered_json::array({{{"color", "green"}, {"value", nullptr}}});
  if (p.bad_from)
    steps.push_back({{"color", "red"}, {"value", *p.bad_from}});
  return {{"mode", "absolute"}, {"steps", steps}};
}

ordered_json field_config_of(const dashboard_panel& p) {
  ordered_json defaults{
    {"unit", p.unit},
    {"color", {{"mode", is_about_now(p.kind) ? "thresholds" : "palette-classic"}}},
    {"thresholds", thresholds_of(p)}};
  if (p.kind == panel_kind::lines || p.kind == panel_kind::areas) {
    const bool areas = p.kind == panel_kind::areas;
    defaults["min"] = 0;
    defaults["custom"] = {
      {"drawStyle", "line"},
      {"lineWidth", 1},
      {"fillOpacity", areas ? 40 : 5},
      {"showPoints", "auto"},
      {"stacking", {{"mode", areas ? "normal" : "none"}, {"group", "A"}}},
      {"thresholdsStyle", {{"mode", p.bad_from ? "line" : "off"}}}};
  }
  return {{"defaults", defaults}, {"overrides", ordered_json::array()}};
}

ordered_json options_of(const dashboard_panel& p) {
  const ordered_json now{
    {"calcs", ordered_json::array({"lastNotNull"})}, {"fields", ""}, {"values", false}};
  switch (p.kind) {
  case panel_kind::value:
    return {{"reduceOptions", now}, {"orientation", "auto"}, {"textMode", "value_and_name"},
            {"colorMode", "value"}, {"graphMode", "none"},   {"justifyMode", "auto"}};
  case panel_kind::columns:
    return {
      {"reduceOptions", now},
      {"orientation", "horizontal"},
      {"displayMode", "basic"},
      {"valueMode", "text"},
      {"showUnfilled", true}};
  case panel_kind::heat:
    return {
      {"calculate", false},
      {"yAxis", {{"unit", p.unit}, {"axisPlacement", "left"}}},
      {"color", {{"mode", "scheme"}, {"scheme", "Oranges"}, {"steps", 64}, {"exponent", 0.5}}},
      {"cellGap", 1},
      {"tooltip", {{"mode", "single"}, {"yHistogram", true}}}};
  default:
    return {
      {"legend",
       {{"displayMode", "table"},
        {"placement", "right"},
        {"showLegend", true},
        {"calcs", ordered_json::array({"lastNotNull", "max"})}}},
      {"tooltip", {{"mode", "multi"}, {"sort", "desc"}}}};
  }
}

/// Panels stand in rows of 24 columns, in the order in which they are told.
ordered_json panels_of(const dashboard& d) {
  ordered_json panels = ordered_json::array();
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t row_height = 0;
  for (const auto& p : d.panels) {
    const auto height = p.kind == panel_kind::value ? value_height : panel_height;
    if (x + p.width > columns_all) {
      x = 0;
      y += row_height;
      row_height = 0;
    }
    row_height = std::max(row_height, height);
    panels.push_back(
      {{"id", panels.size() + 1},
       {"type", type_of(p.kind)},
       {"title", p.title},
       {"description", p.description},
       {"datasource", source()},
       {"gridPos", {{"h", height}, {"w", p.width}, {"x", x}, {"y", y}}},
       {"fieldConfig", field_config_of(p)},
       {"options", options_of(p)},
       {"targets", targets_of(p)}});
    x += p.width;
  }
  return panels;
}

ordered_json variables_of(const dashboard& d) {
  const bool many = d.nodes == node_choice::many;
  const std::string values = "label_values(drover_node_vms, node)";
  ordered_json node{
    {"name", "node"},
    {"label", many ? "Nodes" : "Node"},
    {"type", "query"},
    {"datasource", source()},
    {"query", {{"query", values}, {"refId", "node"}}},
    {"refresh", 2},
    {"sort", 1},
    {"multi", many},
    {"includeAll", many},
    {"hide", 0},
    {"options", ordered_json::array()}};
  if (many) {
    node["allValue"] = ".*";
    node["current"] = {{"text", "All"}, {"value", "$__all"}};
  }
  return {
    {"list",
     {{{"name", "datasource"},
       {"label", "Data source"},
       {"type", "datasource"},
       {"query", "prometheus"},
       {"refresh", 1},
       {"multi", false},
       {"includeAll", false},
       {"hide", 0},
       {"options", ordered_json::array()}},
      node}}};
}

/// When an evacuation began and ended.
ordered_json annotations_of() {
  return {
    {"list",
     {{{"name", "Evacuations"},
       {"datasource", source()},
       {"enable", true},
       {"iconColor", "blue"},
       {"target",
        {{"refId", "Evacuations"},
         {"expr", R"(changes(drover_evacuation_state{state="running",node=~"$node"}[1m]) > 0)"},
         {"interval", "15s"},
         {"legendFormat", "evacuation of {{node}} began or ended"}}}}}}};
}

} // namespace

ordered_json to_grafana(const dashboard& d) {
  return {
    {"uid", d.uid},
    {"title", d.title},
    {"description", d.description},
    {"tags", ordered_json::array({"drover"})},
    {"schemaVersion", schema_version},
    {"version", 1},
    {"editable", true},
    {"graphTooltip", 1},
    {"timezone", "utc"},
    {"refresh", "10s"},
    {"time", {{"from", "now-1h"}, {"to", "now"}}},
    {"links",
     {{{"type", "dashboards"},
       {"title", "drover"},
       {"tags", ordered_json::array({"drover"})},
       {"asDropdown", true},
       {"includeVars", true},
       {"keepTime", true},
       {"targetBlank", false},
       {"icon", "external link"},
       {"tooltip", ""},
       {"url", ""}}}},
    {"annotations", annotations_of()},
    {"templating", variables_of(d)},
    {"panels", panels_of(d)}};
}

} // namespace drover
