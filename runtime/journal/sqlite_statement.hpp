// One SQL statement: bind in order, step, read columns in order. Rule: the one place that touches
// SQLite's C interface beside opening; its errors say what SQLite says.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"

#include <cstdint>
#include <optional>
#include <sqlite3.h>
#include <string>

namespace drover {

class sqlite_statement {
public:
  sqlite_statement(sqlite3* db, const char* sql);
  ~sqlite_statement();
  sqlite_statement(const sqlite_statement&) = delete;
  sqlite_statement& operator=(const sqlite_statement&) = delete;

  sqlite_statement& bind(const std::string& text);
  sqlite_statement& bind(std::int64_t number);
  sqlite_statement& bind(double number);
  sqlite_statement& bind(wall_time at) { return bind(at.time_since_epoch().count()); }
  template <class T>
  sqlite_statement& bind(const std::optional<T>& value) {
    if (value)
      return bind(*value);
    ++bound_;
    return *this;
  }

  /// True while there is a row; `error()` tells whether the end is one.
  bool step();
  std::optional<error> failure() const;
  /// For what gives no rows. Afterwards it can be bound and run anew.
  result<done> run();

  // Columns of the present row, each call the next one.
  std::string text();
  std::int64_t number();
  double real();
  wall_time moment() { return wall_time{std::chrono::microseconds{number()}}; }
  std::optional<double> real_or_none();
  std::optional<wall_time> moment_or_none();

private:
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
  int column_ = 0;
  int last_ = SQLITE_OK;
};

/// What SQLite says went wrong on `db`, as a caller has to take it.
error sqlite_error(sqlite3* db, int code);

} // namespace drover
