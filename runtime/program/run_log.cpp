#include "runtime/program/run_log.hpp"

#include "runtime/journal/sqlite_journal.hpp"
#include "runtime/program/past_runs.hpp"
#include "runtime/program/running_files.hpp"
#include "runtime/program/state_directory.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

void warn(const error& why) {
  std::fprintf(
    stderr, "drover: warning: %s; the run goes on, but after a crash it cannot be resumed\n",
    to_string(why).c_str());
}

} // namespace

result<std::shared_ptr<journal>> journal_in(const std::string& state_dir) {
  const auto state = state_directory(state_dir);
  if (!state)
    return tl::unexpected(state.error());
  const auto file = *state / journal_file_name;
  std::error_code problem;
  if (!std::filesystem::exists(file, problem))
    return fail(errc::invalid, "no run was written down yet", file.string());
  return open_journal(file);
}

std::filesystem::path alive_file(const std::filesystem::path& state, const std::string& id) {
  return state / "running" / (id + ".lock");
}

std::unique_ptr<run_log> run_log::open(const std::string& state_dir) {
  std::unique_ptr<run_log> log{new run_log};
  log->state_dir_ = state_dir;
  const auto state = state_directory(state_dir);
  auto opened = state ? open_journal(*state / journal_file_name)
                      : result<std::shared_ptr<journal>>{tl::unexpected(state.error())};
  if (!opened) {
    warn(opened.error());
    return log;
  }
  log->journal_ = *opened;
  log->writer_ = std::make_shared<journal_writer>(*opened, warn);
  return log;
}

run_log::~run_log() {
  if (writer_)
    writer_->close();
}

std::function<void(vm_id, std::function<void()>)> run_log::write_ahead() const {
  if (!writer_)
    return {};
  return [writer = writer_](vm_id vm, std::function<void()> written) {
    writer->write_ahead(vm, wall_now(), std::move(written));
  };
}

void run_log::begin(const std::string& what, journal_run run, const std::vector<journal_vm>& vms) {
  const auto begun = run.begun;
  const auto controller = run.controller;
  if (journal_) {
    if (auto id = journal_->begin(what, std::move(run), vms))
      id_ = *id;
    else
      warn(id.error());
  }
  if (!id_.empty())
    writer_->follow(id_, vms);
  else if (const auto past = past_runs::at(state_dir_))
    id_ = past->free_id(what, begun);
  live_as(controller);
}

void run_log::take_up(
  const std::string& id, const std::string& controller, const std::vector<journal_vm>& vms) {
  id_ = id;
  if (writer_) {
    writer_->follow(id, vms);
    note(controller_changed{controller});
    note(wish_changed{run_wish::go_on});
    for (const auto& vm : vms)
      note(vm);
  }
  live_as(controller);
}

void run_log::live_as(const std::string& controller) {
  const auto state = state_directory(state_dir_);
  if (!state || id_.empty())
    return;
  if (auto lock = process_lock::take(alive_file(*state, id_), controller))
    alive_ = std::move(*lock);
  prune_running(*state);
}

void run_log::note(journal_change change) {
  if (writer_)
    static_cast<void>(writer_->write(std::move(change)));
}

void run_log::end(const run_result& r, nlohmann::ordered_json report, wall_time now) {
  note(run_closed{now, std::string{to_string(r.code)}, static_cast<int>(r.code)});
  if (writer_)
    writer_->close();
  const auto alive_id = id_;
  auto past = past_runs::at(state_dir_);
  const auto kept =
    past ? past->keep(id_, std::move(report)) : result<done>{tl::unexpected(past.error())};
  if (!kept) {
    std::fprintf(stderr, "drover: warning: %s\n", to_string(kept.error()).c_str());
    id_.clear();
  }
  if (const auto state = state_directory(state_dir_); state && alive_) {
    std::error_code problem;
    std::filesystem::remove(alive_file(*state, alive_id), problem);
  }
  alive_.reset();
}

} // namespace drover
