#include "tests/tidy/commands.hpp"

#include "tests/tidy/source_text.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>

namespace drover::tidy {
namespace {

bool is_shell_fence(const std::string& language) {
  return language == "sh" || language == "bash" || language == "console";
}

/// Cuts a command line into words; quotes keep blanks together, `#` ends the line, and `|`, `&&`
/// and `;` end the command.
std::vector<std::vector<std::string>> cut(const std::string& line) {
  std::vector<std::vector<std::string>> commands(1);
  std::istringstream words{line};
  for (std::string word; words >> std::ws && words.peek() != EOF;) {
    if (words.peek() == '\'' || words.peek() == '"') {
      const auto quote = static_cast<char>(words.get());
      std::getline(words, word, quote);
    } else {
      words >> word;
      if (word.front() == '#')
        break;
      if (word == "|" || word == "&&" || word == "||" || word == ";") {
        commands.emplace_back();
        continue;
      }
    }
    const bool prefix =
      word == "$" || word == "sudo" || std::regex_match(word, std::regex{R"(\w+=.*)"});
    if (!prefix || !commands.back().empty())
      commands.back().push_back(word);
  }
  return commands;
}

struct help_page {
  std::map<std::string, bool> flags; ///< name -> takes a value
  std::set<std::string> commands;
};

/// Reads the layout of CLI11's help: indented flags with their type, then a list of sub-commands.
help_page read_help(const std::string& text) {
  static const std::regex flag{R"(^\s+(-[\w-]+(?:,\s?-[\w-]+)*)( [A-Z<\[][^\s]*)?(\s.*)?$)"};
  static const std::regex command{R"(^\s+([a-z][\w-]*)(\s.*)?$)"};
  help_page page;
  bool in_commands = false;
  for (const auto& line : lines_of(text)) {
    std::smatch match;
    if (!line.empty() && line.front() != ' ')
      in_commands = line.rfind("Subcommands", 0) == 0;
    else if (std::regex_match(line, match, flag)) {
      std::istringstream names{match[1].str()};
      for (std::string name; std::getline(names, name, ',');)
        page.flags[trim(name)] = match[2].matched;
    } else if (in_commands && std::regex_match(line, match, command))
      page.commands.insert(match[1].str());
  }
  return page;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text = "drover";
  for (const auto& word : words)
    text += " " + word;
  return text;
}

bool is_program(const std::string& word) { return word == "drover" || has_suffix(word, "/drover"); }

bool is_repository_path(const std::string& word) {
  const bool relative = word.find('/') != std::string::npos &&
                        std::string{"/~$-<"}.find(word.front()) == std::string::npos;
  return relative && word.find("://") == std::string::npos && !is_under(word, "build");
}

} // namespace

std::vector<readme_command> commands_of(const source_file& readme) {
  std::vector<readme_command> all;
  std::string fence;
  bool inside = false;
  const auto lines = lines_of(readme.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto line = trim(lines[i]);
    if (line.rfind("```", 0) == 0) {
      inside = !inside;
      fence = line.substr(3);
      continue;
    }
    if (!inside || !is_shell_fence(fence))
      continue;
    const auto begin = i;
    auto whole = line;
    while (!whole.empty() && whole.back() == '\\' && i + 1 < lines.size()) {
      whole.back() = ' ';
      whole += trim(lines[++i]);
    }
    for (auto& words : cut(whole))
      if (!words.empty())
        all.push_back({readme.path, begin + 1, std::move(words)});
  }
  return all;
}

findings check_paths(const readme_command& command, const std::set<std::string>& paths) {
  findings all;
  for (const auto& word : command.words) {
    auto wanted = word.rfind("./", 0) == 0 ? word.substr(2) : word;
    if (!wanted.empty() && wanted.back() == '/')
      wanted.pop_back();
    if (wanted.empty() || !is_repository_path(wanted))
      continue;
    const auto found = std::any_of(
      paths.begin(), paths.end(), [&](const auto& path) { return is_under(path, wanted); });
    if (!found)
      all.push_back(
        {command.path, command.line, "readme command",
         "there is no " + wanted + " in the tree: correct the line or add the file"});
  }
  return all;
}

findings check_drover(const readme_command& command, const help_source& help) {
  if (command.words.empty() || !is_program(command.words.front()))
    return {};
  const auto fault = [&](std::string remedy) {
    return findings{{command.path, command.line, "readme command", std::move(remedy)}};
  };
  std::vector<std::string> chain;
  help_page here;
  std::map<std::string, bool> flags;
  const auto enter = [&] {
    const auto text = help(chain);
    here = read_help(text.value_or(""));
    flags.insert(here.flags.begin(), here.flags.end());
    return text.has_value() && !here.flags.empty();
  };
  if (!enter())
    return fault("`drover --help` does not answer with flags");
  for (std::size_t i = 1; i < command.words.size(); ++i) {
    const auto& word = command.words[i];
    if (word.size() > 1 && word.front() == '-') {
      const auto equals = word.find('=');
      const auto known = flags.find(word.substr(0, equals));
      if (known == flags.end())
        return fault("`" + joined(chain) + "` has no flag " + word.substr(0, equals));
      i += known->second && equals == std::string::npos ? 1 : 0;
    } else if (here.commands.count(word)) {
      chain.push_back(word);
      if (!enter())
        return fault("`" + joined(chain) + " --help` does not answer with flags");
    } else if (!here.commands.empty()) {
      return fault("`" + joined(chain) + "` has no sub-command " + word);
    }
  }
  return {};
}

} // namespace drover::tidy
