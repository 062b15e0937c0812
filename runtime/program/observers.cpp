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
    all->trace_->add(all->file_);
  }
  if (shown) {
    all->trace_->add(shown->sink());
    all->exposes_ = true;
  }
  return all;
}

result<done> observers::close() {
  progress_->end();
  return file_ ? file_->close() : result<done>{done{}};
}

} // namespace drover
