#include "runtime/program/workplace.hpp"

namespace drover {
namespace {

/// A store call may hang for 8 s when a node dies; a look at the cluster waits that out.
constexpr std::chrono::seconds look_deadline{12};

} // namespace

survey workplace::look() {
  auto seen = survey_of(nodes->call_all(wire::list_vms{}, look_deadline));
  note_survey(*watching->trace(), seen, wall_now());
  return seen;
}

result<workplace> open_workplace(const options& o, const workplace_needs& needs) {
  workplace w;
  auto cluster = read_cluster_file(o.cluster_file);
  if (!cluster)
    return tl::unexpected(cluster.error());
  w.cluster = std::move(*cluster);
  if (needs.adjust)
    needs.adjust(w.cluster);
  auto shown = exposure::open(needs.shown);
  if (!shown)
    return tl::unexpected(shown.error());
  w.shown = std::move(*shown);
  auto watching = observers::open(o.trace_file, w.shown, progress_look_of(stderr));
  if (!watching)
    return tl::unexpected(watching.error());
  w.watching = std::move(*watching);
  w.watching->add_beside(w.history);
  if (o.watcher)
    w.watching->trace()->add(o.watcher);
  fleet_settings settings{needs.access,        w.watching->trace(), {},
                          w.watching->pulse(), needs.opening,       {}};
  if (needs.writes_down) {
    w.log = run_log::open(o.state_dir);
    if (const auto sink = w.log->sink())
      w.watching->trace()->add(sink);
    settings.write_ahead = w.log->write_ahead();
    w.feed = std::make_shared<follower_feed>();
    w.watching->add_beside(w.feed);
  }
  auto nodes = fleet::open(w.cluster, settings);
  if (!nodes)
    return tl::unexpected(nodes.error());
  w.nodes = std::move(*nodes);
  return w;
}

} // namespace drover
