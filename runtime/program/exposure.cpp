#include "runtime/program/exposure.hpp"

#include "runtime/cluster/delay_text.hpp"

#include <cstdio>
#include <prometheus/registry.h>

namespace drover {

result<std::shared_ptr<exposure>> exposure::open(const exposure_options& wanted) {
  if (wanted.address.empty() && wanted.file.empty())
    return std::shared_ptr<exposure>{};
  std::shared_ptr<exposure> all{new exposure};
  all->linger_ = wanted.linger;
  all->registry_ = std::make_shared<prometheus::Registry>();
  all->recorder_ = std::make_shared<metrics_recorder>(all->registry_, wall_now());
  if (!wanted.address.empty()) {
    auto exposer = metrics_exposer::open(wanted.address, all->registry_);
    if (!exposer)
      return tl::unexpected(exposer.error());
    all->exposer_ = std::move(*exposer);
    std::fprintf(stderr, "drover: metrics at %s\n", all->url().c_str());
  }
  if (!wanted.file.empty()) {
    auto file = metrics_file::open(
      wanted.file, [registry = all->registry_] { return exposition(*registry); });
    if (!file)
      return tl::unexpected(file.error());
    all->file_ = std::move(*file);
  }
  return all;
}

std::string exposure::url() const {
  return exposer_ ? "http://" + exposer_->address() + "/metrics" : std::string{};
}

result<done> exposure::close() { return file_ ? file_->close() : result<done>{done{}}; }

result<done> exposure::close(interrupts& signals) {
  auto written = close();
  if (exposer_ && linger_ > nanoseconds{0} && signals.count() == 0) {
    std::fprintf(
      stderr, "drover: metrics stay at %s for %s; Ctrl-C ends that\n", url().c_str(),
      format_time_span(linger_).c_str());
    signals.wait(linger_);
  }
  return written;
}

} // namespace drover
