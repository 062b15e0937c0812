#include "runtime/program/traced_link.hpp"

#include <utility>

namespace drover {
namespace {

/// One opening; its events come one at a time.
class opening {
public:
  opening(node_id node, std::shared_ptr<trace_sink> trace)
    : node_(std::move(node)), trace_(std::move(trace)) {
    note("opening", {});
  }

  void over(const char* state, const std::string& reason) {
    if (!std::exchange(is_over_, true))
      note(state, reason);
  }

private:
  void note(const char* state, const std::string& reason) {
    trace_->take({wall_now(), link_changed{node_, state, reason}});
  }

  node_id node_;
  std::shared_ptr<trace_sink> trace_;
  bool is_over_ = false;
};

} // namespace

traced_link::traced_link(link_ptr way, node_id node, std::shared_ptr<trace_sink> trace)
  : way_(std::move(way)), node_(std::move(node)), trace_(std::move(trace)) {}

void traced_link::open(link_events events) {
  const auto noted = std::make_shared<opening>(node_, trace_);
  link_events heard;
  heard.line = std::move(events.line);
  heard.opened = [noted, tell = std::move(events.opened)] {
    noted->over("opened", {});
    tell();
  };
  heard.closed = [noted, tell = std::move(events.closed)](error why) {
    noted->over("refused", to_string(why));
    tell(std::move(why));
  };
  way_->open(std::move(heard));
}

void traced_link::send(std::string line) { way_->send(std::move(line)); }

void traced_link::close() { way_->close(); }

} // namespace drover
