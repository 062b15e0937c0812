#include "metrics/page/page.hpp"

#include "metrics/page/page_files.hpp"

#include <array>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// Nothing may be fetched from anywhere: what the report needs is in it.
constexpr std::string_view report_policy =
  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
  "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">\n";

constexpr std::string_view live_head = "<link rel=\"stylesheet\" href=\"/view.css\">";
constexpr std::string_view live_foot =
  "<script src=\"/view.js\"></script>\n<script src=\"/live.js\"></script>";

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos)
    return text;
  return "\"" + replaced(text, "\"", "\"\"") + "\"";
}

std::string cell_of(const ordered_json& value) {
  if (value.is_null())
    return {};
  return quoted(value.is_string() ? value.get<std::string>() : value.dump());
}

} // namespace

std::string_view view_style() { return page_files::view_css; }
std::string_view view_script() { return page_files::view_js; }
std::string_view live_script() { return page_files::live_js; }

std::string report_page(const ordered_json& run) {
  // In a script block "<" could begin its end; as an escape it means the same to JSON.
  const auto data =
    replaced(run.dump(-1, ' ', false, ordered_json::error_handler_t::replace), "<", "\\u003c");
  std::string page{page_files::page_html};
  page = replaced(
    std::move(page), "%HEAD%",
    std::string{report_policy} + "<style>" + std::string{view_style()} + "</style>");
  page = replaced(std::move(page), "%PARTS%", page_files::report_parts_html);
  return replaced(
    std::move(page), "%FOOT%",
    "<script type=\"application/json\" id=\"run\">" + data + "</script>\n<script>" +
      std::string{view_script()} + std::string{page_files::report_js} + "</script>");
}

std::string live_page() {
  auto page = replaced(std::string{page_files::page_html}, "%HEAD%", live_head);
  page = replaced(std::move(page), "%PARTS%", "");
  return replaced(std::move(page), "%FOOT%", live_foot);
}

std::string vms_csv(const ordered_json& run) {
  constexpr std::array<const char*, 18> columns{
    "vm",        "source",  "target",  "policy",     "evacuation", "phase",
    "result",    "reason",  "pause_s", "blackout_s", "handover_s", "budget_s",
    "barrier_s", "claim_s", "total_s", "bytes",      "memory",     "passes"};
  std::string out;
  for (const auto* column : columns)
    out += (out.empty() ? "" : ",") + std::string{column};
  out += "\n";
  for (const auto& vm : run.at("vms")) {
    std::string line;
    for (const auto* column : columns)
      line += (column == columns.front() ? "" : ",") +
              (vm.contains(column) ? cell_of(vm.at(column)) : std::string{});
    out += line + "\n";
  }
  return out;
}

} // namespace drover
