#include "runtime/program/observers.hpp"

namespace drover {

result<std::unique_ptr<observers>> observers::open(
  const std::string& trace_path, const std::shared_ptr<exposure>& shown, progress_look look) {
  std::unique_ptr<observers> all{new observers};
  all->progress_ = std::make_shared<progress_view>(stderr, look);
  all->trace_->add(all->progress_);
  if (!trace_path.empty()) {
    auto file = wire::trace_file::open(trace_path);
    if (!file)
      return tl::unexpected(file.error());
    all->file_ = *file;
    all->add_beside(all->file_);
  }
  if (shown) {
    all->add_beside(shown->sink());
    all->exposes_ = true;
  }
  return all;
}

void observers::add_beside(std::shared_ptr<trace_sink> sink) {
  if (!relay_) {
    relay_ = std::make_shared<trace_relay>();
    trace_->add(relay_);
  }
  relay_->add(std::move(sink));
}

result<done> observers::close() {
  progress_->end();
  if (relay_)
    relay_->close();
  return file_ ? file_->close() : result<done>{done{}};
}

} // namespace drover
