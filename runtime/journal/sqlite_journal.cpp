#include "runtime/journal/sqlite_journal.hpp"

#include "runtime/journal/run_id.hpp"
#include "runtime/journal/sqlite_statement.hpp"

#include <fcntl.h>
#include <map>
#include <memory>
#include <mutex>
#include <unistd.h>
#include <utility>

namespace drover {
namespace {

/// "drov": in the file's header, so that another program's database is told from a journal.
constexpr std::int64_t application_id = 0x64726f76;
constexpr std::int64_t schema_version = 1;
/// How long a commit waits for another process' commit.
constexpr int busy_ms = 3000;
constexpr int look_again_ms = 10;

constexpr const char* schema = R"(
CREATE TABLE runs(
  id TEXT PRIMARY KEY, what TEXT NOT NULL, node TEXT NOT NULL, cluster TEXT NOT NULL,
  cluster_file TEXT NOT NULL, controller TEXT NOT NULL, policy TEXT NOT NULL,
  begun INTEGER NOT NULL, plan TEXT NOT NULL, settings TEXT NOT NULL, wish TEXT NOT NULL,
  ended INTEGER, result TEXT NOT NULL DEFAULT '', exit_code INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE vms(
  run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, vm INTEGER NOT NULL,
  position INTEGER NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
  memory_bytes INTEGER NOT NULL, phase TEXT NOT NULL, epoch INTEGER NOT NULL,
  changed INTEGER NOT NULL, result TEXT NOT NULL, reason TEXT NOT NULL, pause_s REAL,
  blackout_s REAL, handover_s REAL, total_s REAL NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY(run, vm)) STRICT;
CREATE TABLE events(
  number INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
  at INTEGER NOT NULL, vm INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX events_of_run ON events(run);
)";

std::int64_t signed_of(std::uint64_t n) { return static_cast<std::int64_t>(n); }

class sqlite_journal final : public journal {
public:
  explicit sqlite_journal(sqlite3* db) : db_(db) {}
  ~sqlite_journal() override {
    kept_.clear(); // SQLite closes no database that has statements.
    sqlite3_close(db_);
  }
  sqlite_journal(const sqlite_journal&) = delete;
  sqlite_journal& operator=(const sqlite_journal&) = delete;

  result<done> prepare();

  result<std::string> begin(
    const std::string& what, journal_run run, const std::vector<journal_vm>& vms) override;
  result<done> write(const std::string& id, const std::vector<journal_change>& changes) override;
  result<std::vector<journal_run>> runs() override;
  result<journal_run> run(const std::string& id) override;
  result<std::vector<journal_vm>> vms(const std::string& id) override;
  result<std::vector<journal_event>> events(const std::string& id) override;

private:
  result<done> execute(const char* sql);
  result<std::int64_t> recognise();
  /// Reading a statement costs more than running it, and these are run ten times for each VM. `sql`
  /// is a literal, named by its address.
  sqlite_statement& kept(const char* sql);
  result<std::int64_t> pragma(const char* sql);
  /// Everything or nothing of what `work` writes.
  template <class Work>
  auto transaction(Work work) -> decltype(work());
  result<std::string> free_id(const std::string& what, wall_time begun);
  result<done> insert(const journal_run& run);
  /// `invalid` where there is no such run.
  result<done> find(const std::string& id);
  result<std::vector<journal_run>> read_runs(const std::string& only);

  result<done> apply(const std::string& id, const journal_vm& vm);
  result<done> apply(const std::string& id, const journal_event& event);
  result<done> apply(const std::string& id, const wish_changed& change);
  result<done> apply(const std::string& id, const controller_changed& change);
  result<done> apply(const std::string& id, const run_closed& change);

  std::mutex mutex_;
  sqlite3* db_;
  std::map<const char*, std::unique_ptr<sqlite_statement>> kept_;
};

sqlite_statement& sqlite_journal::kept(const char* sql) {
  auto& one = kept_[sql];
  if (!one || one->failure()) // It could not even be read then.
    one = std::make_unique<sqlite_statement>(db_, sql);
  return *one;
}

result<done> sqlite_journal::execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK)
    return tl::unexpected(sqlite_error(db_, code));
  return done{};
}

result<std::int64_t> sqlite_journal::pragma(const char* sql) {
  sqlite_statement asked{db_, sql};
  if (asked.step())
    return asked.number();
  return tl::unexpected(asked.failure().value_or(error{errc::invalid, "no answer", sql}));
}

template <class Work>
auto sqlite_journal::transaction(Work work) -> decltype(work()) {
  if (auto begun = execute("BEGIN IMMEDIATE"); !begun)
    return tl::unexpected(begun.error());
  auto worked = work();
  if (worked)
    if (auto committed = execute("COMMIT"); !committed)
      worked = tl::unexpected(committed.error());
  if (!worked)
    static_cast<void>(execute("ROLLBACK"));
  return worked;
}

/// The version of the journal that is there, 0 in an empty file. All of it is read as it was at one
/// moment, since another process may be making it.
result<std::int64_t> sqlite_journal::recognise() {
  if (auto begun = execute("BEGIN"); !begun)
    return tl::unexpected(begun.error());
  const auto owner = pragma("PRAGMA application_id");
  const auto tables = pragma("SELECT count(*) FROM sqlite_master");
  const auto version = pragma("PRAGMA user_version");
  static_cast<void>(execute("ROLLBACK"));
  for (const auto* read : {&owner, &tables})
    if (!*read)
      return *read;
  if (*owner != application_id && *tables > 0)
    return fail(
      errc::invalid,
      "this is another program's database; name another directory with --state-dir, or move it",
      sqlite3_db_filename(db_, "main"));
  return version;
}

result<done> sqlite_journal::prepare() {
  sqlite3_busy_timeout(db_, busy_ms);
  sqlite3_extended_result_codes(db_, 1);
  // Nothing is written before the file is known to be ours or empty: WAL mode would change it.
  const auto version = recognise();
  if (!version)
    return tl::unexpected(version.error());
  if (*version > schema_version)
    return fail(
      errc::invalid,
      "a newer drover has written this journal (version " + std::to_string(*version) + ", " +
        std::to_string(schema_version) + " is known here); install that one, or move it away",
      sqlite3_db_filename(db_, "main"));
  for (const auto* setting :
       {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON"})
    if (auto set = execute(setting); !set)
      return set;
  if (*version == schema_version)
    return done{};
  return transaction([this]() -> result<done> {
    // Another process may have been first.
    const auto made = pragma("SELECT count(*) FROM sqlite_master WHERE name = 'runs'");
    if (!made || *made > 0)
      return made ? result<done>{done{}} : tl::unexpected(made.error());
    const auto marks = "PRAGMA application_id=" + std::to_string(application_id) +
                       "; PRAGMA user_version=" + std::to_string(schema_version);
    if (auto created = execute(schema); !created)
      return created;
    return execute(marks.c_str());
  });
}

result<std::string> sqlite_journal::free_id(const std::string& what, wall_time begun) {
  for (unsigned copy = 1;; ++copy) {
    auto id = run_id(what, begun, copy);
    sqlite_statement asked{db_, "SELECT 1 FROM runs WHERE id = ?"};
    if (asked.bind(id).step())
      continue;
    if (auto why = asked.failure())
      return tl::unexpected<error>(std::move(*why));
    return id;
  }
}

result<std::string> sqlite_journal::begin(
  const std::string& what, journal_run run, const std::vector<journal_vm>& vms) {
  const std::lock_guard guard{mutex_};
  return transaction([&]() -> result<std::string> {
    auto id = free_id(what, run.begun);
    if (!id)
      return id;
    run.id = *id;
    auto written = insert(run);
    for (const auto& vm : vms)
      if (written)
        written = apply(*id, vm);
    // Runs that were never ended stay: they may be taken up again.
    static const auto forget = "DELETE FROM runs WHERE ended IS NOT NULL AND id NOT IN (SELECT id "
                               "FROM runs WHERE ended IS NOT NULL ORDER BY id DESC LIMIT " +
                               std::to_string(kept_max - 1) + ")";
    if (written)
      written = execute(forget.c_str());
    if (!written)
      return tl::unexpected(written.error());
    return id;
  });
}

result<done> sqlite_journal::insert(const journal_run& run) {
  sqlite_statement s{
    db_, "INSERT INTO runs(id, what, node, cluster, cluster_file, controller, policy, begun, plan, "
         "settings, wish) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  s.bind(run.id).bind(run.what).bind(run.node.value).bind(run.cluster).bind(run.cluster_file);
  s.bind(run.controller).bind(std::string{to_string(run.how)}).bind(run.begun).bind(run.plan);
  return s.bind(run.settings).bind(std::string{to_string(run.wish)}).run();
}

result<done> sqlite_journal::write(
  const std::string& id, const std::vector<journal_change>& changes) {
  const std::lock_guard guard{mutex_};
  return transaction([&]() -> result<done> {
    if (auto known = find(id); !known)
      return known;
    for (const auto& change : changes)
      if (auto applied = std::visit([&](const auto& c) { return apply(id, c); }, change); !applied)
        return applied;
    return done{};
  });
}

result<done> sqlite_journal::apply(const std::string& id, const journal_vm& vm) {
  static constexpr const char* sql =
    "INSERT OR REPLACE INTO vms VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  auto& s = kept(sql);
  s.bind(id).bind(std::int64_t{vm.vm.value}).bind(std::int64_t{vm.position}).bind(vm.name);
  s.bind(vm.source.value).bind(vm.target.value).bind(signed_of(vm.memory_bytes)).bind(vm.phase);
  s.bind(signed_of(vm.number.value)).bind(vm.changed).bind(vm.result).bind(vm.reason);
  s.bind(vm.pause_s).bind(vm.blackout_s).bind(vm.handover_s).bind(vm.total_s);
  return s.bind(signed_of(vm.bytes)).run();
}

result<done> sqlite_journal::apply(const std::string& id, const journal_event& event) {
  static constexpr const char* sql = "INSERT INTO events(run, at, vm, text) VALUES(?, ?, ?, ?)";
  auto& s = kept(sql);
  return s.bind(id).bind(event.at).bind(std::int64_t{event.vm.value}).bind(event.text).run();
}

result<done> sqlite_journal::apply(const std::string& id, const wish_changed& change) {
  sqlite_statement s{db_, "UPDATE runs SET wish = ? WHERE id = ?"};
  return s.bind(std::string{to_string(change.wish)}).bind(id).run();
}

result<done> sqlite_journal::apply(const std::string& id, const controller_changed& change) {
  sqlite_statement s{db_, "UPDATE runs SET controller = ? WHERE id = ?"};
  return s.bind(change.controller).bind(id).run();
}

result<done> sqlite_journal::apply(const std::string& id, const run_closed& change) {
  sqlite_statement s{db_, "UPDATE runs SET ended = ?, result = ?, exit_code = ? WHERE id = ?"};
  s.bind(change.at).bind(change.result).bind(std::int64_t{change.exit_code});
  return s.bind(id).run();
}

result<done> sqlite_journal::find(const std::string& id) {
  sqlite_statement s{db_, "SELECT 1 FROM runs WHERE id = ?"};
  if (s.bind(id).step())
    return done{};
  const error absent{
    errc::invalid, "there is no run '" + id + "'; drover history lists them",
    sqlite3_db_filename(db_, "main")};
  return tl::unexpected(s.failure().value_or(absent));
}

result<std::vector<journal_run>> sqlite_journal::read_runs(const std::string& only) {
  sqlite_statement s{
    db_, "SELECT id, what, node, cluster, cluster_file, controller, policy, begun, plan, settings, "
         "wish, ended, result, exit_code FROM runs WHERE ?1 = '' OR id = ?1 ORDER BY id"};
  s.bind(only);
  std::vector<journal_run> found;
  while (s.step()) {
    journal_run r;
    r.id = s.text(), r.what = s.text(), r.node.value = s.text(), r.cluster = s.text();
    r.cluster_file = s.text(), r.controller = s.text();
    const auto how = policy_from_string(s.text());
    r.begun = s.moment(), r.plan = s.text(), r.settings = s.text();
    const auto wish = run_wish_from_string(s.text());
    r.ended = s.moment_or_none(), r.result = s.text(), r.exit_code = static_cast<int>(s.number());
    if (!how || !wish)
      return fail(
        errc::invalid, "the journal holds a word that this drover does not know, for run " + r.id,
        sqlite3_db_filename(db_, "main"));
    r.how = *how;
    r.wish = *wish;
    found.push_back(std::move(r));
  }
  if (auto why = s.failure())
    return tl::unexpected<error>(std::move(*why));
  return found;
}

result<std::vector<journal_run>> sqlite_journal::runs() {
  const std::lock_guard guard{mutex_};
  return read_runs({});
}

result<journal_run> sqlite_journal::run(const std::string& id) {
  const std::lock_guard guard{mutex_};
  if (id != "last")
    if (auto known = find(id); !known)
      return tl::unexpected(known.error());
  auto found = read_runs(id == "last" ? std::string{} : id);
  if (!found)
    return tl::unexpected(found.error());
  if (found->empty())
    return fail(errc::invalid, "no run was written down yet", sqlite3_db_filename(db_, "main"));
  return std::move(found->back());
}

result<std::vector<journal_vm>> sqlite_journal::vms(const std::string& id) {
  const std::lock_guard guard{mutex_};
  sqlite_statement s{
    db_, "SELECT vm, position, name, source, target, memory_bytes, phase, epoch, changed, result, "
         "reason, pause_s, blackout_s, handover_s, total_s, bytes FROM vms WHERE run = ? "
         "ORDER BY position, vm"};
  s.bind(id);
  std::vector<journal_vm> found;
  while (s.step()) {
    journal_vm v;
    v.vm.value = static_cast<std::uint32_t>(s.number());
    v.position = static_cast<std::uint32_t>(s.number());
    v.name = s.text(), v.source.value = s.text(), v.target.value = s.text();
    v.memory_bytes = static_cast<std::uint64_t>(s.number());
    v.phase = s.text(), v.number.value = static_cast<std::uint64_t>(s.number());
    v.changed = s.moment(), v.result = s.text(), v.reason = s.text();
    v.pause_s = s.real_or_none(), v.blackout_s = s.real_or_none();
    v.handover_s = s.real_or_none(), v.total_s = s.real();
    v.bytes = static_cast<std::uint64_t>(s.number());
    found.push_back(std::move(v));
  }
  if (auto why = s.failure())
    return tl::unexpected<error>(std::move(*why));
  return found;
}

result<std::vector<journal_event>> sqlite_journal::events(const std::string& id) {
  const std::lock_guard guard{mutex_};
  sqlite_statement s{db_, "SELECT at, vm, text FROM events WHERE run = ? ORDER BY number"};
  s.bind(id);
  std::vector<journal_event> found;
  while (s.step()) {
    journal_event e;
    e.at = s.moment();
    e.vm.value = static_cast<std::uint32_t>(s.number());
    e.text = s.text();
    found.push_back(std::move(e));
  }
  if (auto why = s.failure())
    return tl::unexpected<error>(std::move(*why));
  return found;
}

/// Only the user may read it; SQLite gives its other files the same rights.
result<done> make_private(const std::filesystem::path& file) {
  std::error_code problem;
  std::filesystem::create_directories(file.parent_path(), problem);
  if (problem)
    return fail(
      errc::refused, "the journal has no place: " + problem.message(), file.parent_path().string());
  // Never opened when it is there: closing it would take this process' locks of it away.
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0)
    ::close(fd);
  return done{};
}

} // namespace

result<std::shared_ptr<journal>> open_journal(const std::filesystem::path& file) {
  if (auto made = make_private(file); !made)
    return tl::unexpected(made.error());
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(
    file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  if (code != SQLITE_OK) {
    auto why = sqlite_error(nullptr, code);
    why.context = file.string();
    sqlite3_close(db);
    return tl::unexpected(std::move(why));
  }
  auto made = std::make_shared<sqlite_journal>(db);
  // Two that make it WAL at the same moment refuse each other at once, whatever patience was set:
  // https://sqlite.org/wal.html, "Sometimes Queries Return SQLITE_BUSY In WAL Mode".
  auto ready = made->prepare();
  for (int waited_ms = 0; !ready && ready.error().code == errc::retry && waited_ms < busy_ms;
       waited_ms += look_again_ms) {
    sqlite3_sleep(look_again_ms);
    ready = made->prepare();
  }
  if (!ready)
    return tl::unexpected(ready.error());
  return made;
}

} // namespace drover
