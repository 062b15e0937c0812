#include "runtime/readiness/readiness_report.hpp"

#include "runtime/wire/json_reader.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace drover {

std::string to_line(const readiness_report& report) {
  using json = nlohmann::ordered_json;
  json items = json::array();
  for (const auto& one : report.items)
    items.push_back({{"name", one.name}, {"ok", one.ok}, {"found", one.found}, {"mend", one.mend}});
  const json line{{"readiness", {{"version", report.version}, {"items", items}}}};
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<readiness_report> report_from_line(std::string_view line) {
  const auto document = wire::parse_json_line(line);
  if (!document)
    return tl::unexpected<error>(document.error());
  wire::object_reader root{*document, ""};
  auto from = root.object("readiness");
  readiness_report report;
  report.version = from.required<std::string>("version");
  from.each("items", [&report](wire::object_reader& item, std::size_t) {
    readiness_item one;
    one.name = item.required<std::string>("name");
    one.ok = item.required<bool>("ok");
    one.found = item.required<std::string>("found");
    one.mend = item.required<std::string>("mend");
    report.items.push_back(std::move(one));
  });
  from.refuse_unknown();
  if (const auto read = root.finish(); !read)
    return tl::unexpected<error>(read.error());
  return report;
}

} // namespace drover
