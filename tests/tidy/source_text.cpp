#include "tests/tidy/source_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace drover::tidy {
namespace {

/// Walks over C++ text once; every character goes to one view and a blank to the other.
class splitter {
public:
  explicit splitter(std::string_view text) : text_(text) {}

  views run() {
    while (at_ < text_.size())
      step();
    return std::move(out_);
  }

private:
  bool next_is(std::string_view word) const { return text_.substr(at_, word.size()) == word; }

  char previous() const { return at_ == 0 ? '\0' : text_[at_ - 1]; }

  void step() {
    if (next_is("//"))
      comment_until("\n");
    else if (next_is("/*"))
      comment_until("*/");
    else if (next_is("R\"") && !std::isalnum(static_cast<unsigned char>(previous())))
      raw_string();
    else if (text_[at_] == '"')
      quoted('"');
    else if (text_[at_] == '\'' && !std::isalnum(static_cast<unsigned char>(previous())))
      quoted('\'');
    else
      put(text_[at_], ' ');
  }

  void put(char code, char comment) {
    const bool line_end = text_[at_] == '\n';
    out_.code += line_end ? '\n' : code;
    out_.comments += line_end ? '\n' : comment;
    ++at_;
  }

  void comment_until(std::string_view end) {
    const auto found = text_.find(end, at_ + 2);
    const auto stop = found == text_.npos ? text_.size() : found + (end == "\n" ? 0 : end.size());
    while (at_ < stop)
      put(' ', text_[at_]);
  }

  void quoted(char quote) {
    put(quote, ' ');
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size())
        put(' ', ' ');
      put(' ', ' ');
    }
    if (at_ < text_.size())
      put(quote, ' ');
  }

  void raw_string() {
    const auto open = text_.find('(', at_);
    if (open == text_.npos)
      return put('R', ' ');
    const auto end = ")" + std::string{text_.substr(at_ + 2, open - at_ - 2)} + "\"";
    const auto found = text_.find(end, open);
    const auto stop = found == text_.npos ? text_.size() : found + end.size();
    while (at_ < stop)
      put(' ', ' ');
  }

  std::string_view text_;
  std::size_t at_ = 0;
  views out_;
};

} // namespace

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == text.npos)
      break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

views split(std::string_view text) { return splitter{text}.run(); }

bool has_suffix(std::string_view path, std::string_view suffix) {
  return path.size() >= suffix.size() && path.substr(path.size() - suffix.size()) == suffix;
}

bool is_cpp(std::string_view path) { return has_suffix(path, ".hpp") || has_suffix(path, ".cpp"); }

bool is_code(std::string_view path) {
  constexpr std::array<std::string_view, 8> others{
    ".S", ".s", ".ld", ".sh", ".cmake", ".py", "CMakeLists.txt", ".ci/run"};
  return is_cpp(path) || std::any_of(others.begin(), others.end(), [path](auto suffix) {
           return has_suffix(path, suffix);
         });
}

std::string folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? std::string{} : std::string{path.substr(0, slash)};
}

std::string stem_of(std::string_view path) {
  const auto slash = path.rfind('/');
  const auto name = slash == path.npos ? path : path.substr(slash + 1);
  return std::string{name.substr(0, name.rfind('.'))};
}

bool is_under(std::string_view path, std::string_view folder) {
  return folder.empty() || path == folder ||
         (path.substr(0, folder.size()) == folder && path.size() > folder.size() &&
          path[folder.size()] == '/');
}

std::string trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == text.npos)
    return {};
  return std::string{text.substr(first, text.find_last_not_of(" \t\r") - first + 1)};
}

} // namespace drover::tidy
