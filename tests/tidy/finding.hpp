// What a tidy rule works on and what it returns. Rule: a rule is a function over text, so that each
// has a self-test with a planted violation; only tree.cpp reads files.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

namespace drover::tidy {

/// One file of the tree; `path` is relative to the repository and uses '/'.
struct source_file {
  std::string path;
  std::string text;
};

struct finding {
  std::string path;
  std::size_t line = 0; ///< 0 where the whole file or folder is meant
  std::string rule;
  std::string remedy;
};

using findings = std::vector<finding>;

inline std::ostream& operator<<(std::ostream& out, const finding& f) {
  return out << f.path << ':' << f.line << ": [" << f.rule << "] " << f.remedy;
}

inline void append(findings& all, findings more) {
  all.insert(all.end(), more.begin(), more.end());
}

} // namespace drover::tidy
