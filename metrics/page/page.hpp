// The pages that people look at: the report, one file that needs nothing else, and the live page
// with its script and style. Rule: both draw the same view from the same JSON; texts from outside
// reach them as data only.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace drover {

/// `run` as run_history tells the whole, and "title", "environment" (an object of facts),
/// "comparison" (rows of policies) where there are any.
std::string report_page(const nlohmann::ordered_json& run);

/// The live page names /view.css, /view.js and /live.js, which are these.
std::string live_page();
std::string_view view_style();
std::string_view view_script();
std::string_view live_script();

/// One line for each VM of the run, with a line of names before.
std::string vms_csv(const nlohmann::ordered_json& run);

} // namespace drover
