// Port: the way from the controller to one node's agent, a pair of line streams.
//
// What every driver promises:
// - lines arrive whole, in order and once, or the link closes; a line has at most
//   `line_bytes_max` bytes;
// - `send` never blocks and never fails visibly: a line that could not be delivered ends in
//   `closed`;
// - events come from the driver's own thread (or the world's step), one at a time per link;
// - after `closed` nothing more comes until `open` is called again; `close` is answered by
//   `closed`.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/wire/limits.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace drover {

/// What a link tells its owner. The functions may be called from any thread and must not block.
struct link_events {
  std::function<void()> opened;
  std::function<void(std::string line)> line; ///< without its newline
  std::function<void(error why)> closed;
};

class link {
public:
  virtual ~link() = default;
  /// Starts to connect; answered by `opened` or `closed`.
  virtual void open(link_events events) = 0;
  /// `line` without a newline.
  virtual void send(std::string line) = 0;
  virtual void close() = 0;
};

using link_ptr = std::shared_ptr<link>;

} // namespace drover
