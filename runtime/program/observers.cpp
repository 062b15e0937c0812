#include "runtime/program/observers.hpp"

#include <prometheus/registry.h>

namespace drover {

result<std::unique_ptr<observers>> observers::open(
  const std::string& trace_path, const std::string& metrics_address, progress_style style) {
  std::unique_ptr<observers> all{new observers};
  all->progress_ = std::make_shared<progress_view>(stderr, style);
  all->trace_->add(all->progress_);
  if (!trace_path.empty()) {
    auto file = wire::trace_file::open(trace_path);
    if (!file)
      return tl::unexpected(file.error());
    all->file_ = *file;
    all->trace_->add(all->file_);
  }
  if (!metrics_address.empty()) {
    auto registry = std::make_shared<prometheus::Registry>();
    all->recorder_ = std::make_shared<metrics_recorder>(registry);
    auto exposer = metrics_exposer::open(metrics_address, registry);
    if (!exposer)
      return tl::unexpected(exposer.error());
    all->exposer_ = std::move(*exposer);
    all->trace_->add(all->recorder_);
  }
  return all;
}

std::string observers::metrics_url() const {
  return exposer_ ? "http://" + exposer_->address() + "/metrics" : std::string{};
}

result<done> observers::close() {
  progress_->end();
  return file_ ? file_->close() : result<done>{done{}};
}

} // namespace drover
