// A link that notes in the trace when it is being opened and when that has ended: a login, or a
// process start. Rule: it changes nothing of what passes through it.
//
//   link_changed: opening -> opened (then `up` from whoever greets the agent) | refused
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/link/link.hpp"

#include <memory>
#include <string>

namespace drover {

class traced_link final : public link {
public:
  traced_link(link_ptr way, node_id node, std::shared_ptr<trace_sink> trace);

  void open(link_events events) override;
  void send(std::string line) override;
  void close() override;

private:
  link_ptr way_;
  node_id node_;
  std::shared_ptr<trace_sink> trace_;
};

} // namespace drover
