#include "tests/tidy/sizes.hpp"

#include "tests/tidy/source_text.hpp"

#include <algorithm>
#include <cctype>
#include <regex>
#include <vector>

namespace drover::tidy {
namespace {

/// Columns as an editor counts them: a UTF-8 sequence is one.
std::size_t columns(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

/// Follows the braces of C++ code; a brace whose statement looks like a signature opens a function.
class function_finder {
public:
  explicit function_finder(const source_file& file) : file_(file) {}

  findings run() {
    for (const char c : split(file_.text).code) {
      take(c);
      if (c == '\n')
        ++line_;
    }
    return std::move(found_);
  }

private:
  struct scope {
    bool function = false;
    bool table = false; ///< the outermost braces of data inside a function
    std::size_t begin = 0;
    int outer_parens = 0;
    /// The statement that goes on after a braced initializer; empty for other scopes.
    std::string head_before;
  };

  void take(char c) {
    if (c == '#' && trim(head_).empty())
      directive_ = true;
    if (directive_) {
      directive_ = c != '\n' || last_ == '\\';
      last_ = c;
      return;
    }
    if (c == '(')
      ++parens_;
    if (c == ')')
      --parens_;
    if (c == '{')
      open();
    else if (c == '}')
      close();
    else if (c == ';' && parens_ == 0)
      head_.clear();
    else
      extend(c);
  }

  void extend(char c) {
    if (trim(head_).empty() && c != ' ' && c != '\n')
      head_begin_ = line_;
    head_ += c == '\n' ? ' ' : c;
    const auto label = trim(head_);
    if (label == "public:" || label == "private:" || label == "protected:")
      head_.clear();
  }

  /// clang-format writes `member_{value}` and `void f() {`: only an initializer's brace touches.
  bool is_initializer() const {
    return !head_.empty() && (std::isalnum(static_cast<unsigned char>(head_.back())) ||
                              head_.back() == '_' || head_.back() == '>');
  }

  /// Data in braces: `cases{`, `= {`, `return {`, `judge(f, {`.
  bool is_data() const {
    const auto head = trim(head_);
    return is_initializer() || has_suffix(head, "return") ||
           (!head.empty() && std::string_view{"=(,"}.find(head.back()) != std::string_view::npos);
  }

  bool inside(bool scope::*kind) const {
    return std::any_of(scopes_.begin(), scopes_.end(), [kind](const auto& s) { return s.*kind; });
  }

  void open() {
    const bool initializer = is_initializer();
    const bool function = !inside(&scope::function) && !initializer && is_signature(head_);
    const bool table = inside(&scope::function) && !inside(&scope::table) && is_data();
    if (function)
      table_lines_ = 0;
    scopes_.push_back(
      {function, table, table ? line_ : head_begin_, parens_,
       initializer ? head_ + "{}" : std::string{}});
    head_.clear();
    parens_ = 0;
  }

  void close() {
    if (scopes_.empty())
      return;
    const auto closed = scopes_.back();
    scopes_.pop_back();
    parens_ = closed.outer_parens;
    head_ = closed.head_before;
    if (!head_.empty())
      head_begin_ = closed.begin;
    if (closed.table && line_ > closed.begin)
      table_lines_ += line_ - closed.begin - 1;
    const auto lines = line_ - closed.begin + 1 - table_lines_;
    if (closed.function && lines > function_lines_max)
      found_.push_back(
        {file_.path, closed.begin, "function size",
         std::to_string(lines) + " lines, " + std::to_string(function_lines_max) +
           " at most: name the steps and make each a function"});
  }

  static bool is_signature(const std::string& head) {
    static const std::regex type_or_scope{
      R"(^\s*(template\s*<[^{]*>\s*)?(namespace|struct|class|union|enum|extern)\b[^()]*$)"};
    static const std::regex signature{
      R"(\)\s*(const|noexcept|override|final|mutable|&{1,2}|->.*|:.*|requires.*|\s)*$)"};
    return !std::regex_search(head, type_or_scope) && std::regex_search(head, signature);
  }

  const source_file& file_;
  findings found_;
  std::vector<scope> scopes_;
  std::string head_; ///< the statement so far
  std::size_t head_begin_ = 1;
  std::size_t line_ = 1;
  std::size_t table_lines_ = 0; ///< of the current function
  int parens_ = 0;
  bool directive_ = false;
  char last_ = '\0';
};

} // namespace

findings check_lines(const source_file& file) {
  findings all;
  const auto lines = lines_of(file.text);
  const bool code = is_code(file.path);
  if (!code && !has_suffix(file.path, ".md") && !is_under(file.path, "scenarios"))
    return {}; // data, perhaps broken on purpose
  const auto report = [&](std::size_t line, const char* rule, std::string remedy) {
    all.push_back({file.path, line, rule, std::move(remedy)});
  };
  if (code && lines.size() > file_lines_max)
    report(
      0, "file size",
      std::to_string(lines.size()) + " lines, " + std::to_string(file_lines_max) +
        " at most: split it by what it speaks of");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& line = lines[i];
    if (code && columns(line) > line_columns_max)
      report(i + 1, "line length", std::to_string(columns(line)) + " columns, 100 at most");
    if (code && line.find('\t') != std::string::npos)
      report(i + 1, "tab", "indent with two spaces");
    if (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
      report(i + 1, "trailing blank", "delete the blanks at the end of the line");
  }
  if (!file.text.empty() && file.text.back() != '\n')
    report(lines.size(), "last line", "end the file with a line break");
  return all;
}

findings check_functions(const source_file& file) {
  return is_cpp(file.path) ? function_finder{file}.run() : findings{};
}

} // namespace drover::tidy
