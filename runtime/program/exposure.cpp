#include "runtime/program/exposure.hpp"

#include "runtime/cluster/delay_text.hpp"
#include "runtime/cluster/text_file.hpp"

#include <cstdio>
#include <prometheus/registry.h>

namespace drover {
namespace {

/// The token is the file's text without what stands around it; no file, no token.
result<std::string> token_in(const std::string& file) {
  if (file.empty())
    return std::string{};
  auto read = read_text_file(file);
  if (!read)
    return tl::unexpected(read.error());
  const auto& text = read->text;
  constexpr auto blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string::npos)
    return fail(errc::invalid, "the token file is empty", file);
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

} // namespace

result<std::shared_ptr<exposure>> exposure::open(const exposure_options& wanted) {
  if (wanted.address.empty() && wanted.file.empty())
    return std::shared_ptr<exposure>{};
  std::shared_ptr<exposure> all{new exposure};
  all->linger_ = wanted.linger;
  all->registry_ = std::make_shared<prometheus::Registry>();
  all->sinks_->add(std::make_shared<metrics_recorder>(all->registry_, wall_now()));
  if (!wanted.address.empty()) {
    const auto token = token_in(wanted.token_file);
    if (!token)
      return tl::unexpected(token.error());
    auto history = std::make_shared<run_history>();
    all->sinks_->add(history);
    auto exposer = metrics_exposer::open({wanted.address, all->registry_, history, *token});
    if (!exposer)
      return tl::unexpected(exposer.error());
    all->exposer_ = std::move(*exposer);
    std::fprintf(
      stderr, "drover: metrics at %s/metrics, live page at %s/\n", all->url().c_str(),
      all->url().c_str());
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
  return exposer_ ? "http://" + exposer_->address() : std::string{};
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
