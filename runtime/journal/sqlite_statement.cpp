#include "runtime/journal/sqlite_statement.hpp"

namespace drover {

error sqlite_error(sqlite3* db, int code) {
  const std::string file = db == nullptr ? "" : sqlite3_db_filename(db, "main");
  const std::string says = db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db);
  switch (code & 0xff) {
  case SQLITE_NOTADB:
  case SQLITE_CORRUPT:
  case SQLITE_SCHEMA:
  case SQLITE_ERROR: // A table or column that is not there.
    return {
      errc::invalid,
      "this is no journal of drover, or a broken one (" + says +
        "); move it away, and the next run begins a new one",
      file};
  case SQLITE_FULL:
    return {errc::refused, "the journal cannot be written: the disk is full", file};
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return {errc::retry, "the journal is held by another process", file};
  default:
    return {errc::refused, "the journal cannot be read or written: " + says, file};
  }
}

sqlite_statement::sqlite_statement(sqlite3* db, const char* sql) : db_(db) {
  last_ = sqlite3_prepare_v2(db_, sql, -1, &statement_, nullptr);
}

sqlite_statement::~sqlite_statement() { sqlite3_finalize(statement_); }

sqlite_statement& sqlite_statement::bind(const std::string& text) {
  if (last_ == SQLITE_OK)
    last_ = sqlite3_bind_text(
      statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  return *this;
}

sqlite_statement& sqlite_statement::bind(std::int64_t number) {
  if (last_ == SQLITE_OK)
    last_ = sqlite3_bind_int64(statement_, ++bound_, number);
  return *this;
}

sqlite_statement& sqlite_statement::bind(double number) {
  if (last_ == SQLITE_OK)
    last_ = sqlite3_bind_double(statement_, ++bound_, number);
  return *this;
}

bool sqlite_statement::step() {
  if (last_ != SQLITE_OK && last_ != SQLITE_ROW)
    return false;
  column_ = 0;
  last_ = sqlite3_step(statement_);
  return last_ == SQLITE_ROW;
}

std::optional<error> sqlite_statement::failure() const {
  if (last_ == SQLITE_OK || last_ == SQLITE_ROW || last_ == SQLITE_DONE)
    return std::nullopt;
  return sqlite_error(db_, last_);
}

result<done> sqlite_statement::run() {
  while (step()) {
  }
  auto why = failure();
  if (statement_ != nullptr) {
    // What the run ended with is told; resetting would tell it once more.
    static_cast<void>(sqlite3_reset(statement_));
    static_cast<void>(sqlite3_clear_bindings(statement_));
    bound_ = 0;
    last_ = SQLITE_OK;
  }
  if (why)
    return tl::unexpected<error>(std::move(*why));
  return done{};
}

std::string sqlite_statement::text() {
  const auto* bytes = sqlite3_column_text(statement_, column_);
  const auto size = sqlite3_column_bytes(statement_, column_);
  ++column_;
  if (bytes == nullptr)
    return {};
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::int64_t sqlite_statement::number() { return sqlite3_column_int64(statement_, column_++); }

double sqlite_statement::real() { return sqlite3_column_double(statement_, column_++); }

std::optional<double> sqlite_statement::real_or_none() {
  if (sqlite3_column_type(statement_, column_) != SQLITE_NULL)
    return real();
  ++column_;
  return std::nullopt;
}

std::optional<wall_time> sqlite_statement::moment_or_none() {
  if (sqlite3_column_type(statement_, column_) != SQLITE_NULL)
    return moment();
  ++column_;
  return std::nullopt;
}

} // namespace drover
