// drover-agent as another version of it would be: the real one, whose lines are rewritten on their
// way. Which version is the word in the file "skew" of the node's run directory; without that file
// it is the real agent alone. What that version would not have understood is told in the file
// "misunderstood".
//
//   older                protocol 1.0: no features, no field that came after it, no clocks
//   newer                protocol 1.7: features, fields and notices that nobody knows yet
//   other_major          protocol 2.0, whose hello has another shape
//   other_major_refuses  protocol 2.0, which does not want to speak 1
#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using nlohmann::json;

class version {
public:
  version(std::string word, std::string run_dir, std::string node)
    : word_(std::move(word)), run_dir_(std::move(run_dir)), node_(std::move(node)) {}

  /// What the real agent is to hear; an answer of this version's own goes to `answer`.
  std::string to_agent(const std::string& line, std::string& answer) const {
    auto asked = json::parse(line, nullptr, false);
    if (!asked.is_object())
      return line;
    const auto method = asked.value("method", "");
    if (word_ == "older")
      return older_asked(std::move(asked), method, answer);
    if (word_ == "newer")
      return line;
    if (method != "hello")
      misunderstood(method);
    else
      answer = other_hello(asked.at("id"), asked.at("params")).dump();
    return {};
  }

  std::string from_agent(const std::string& line) {
    auto told = json::parse(line, nullptr, false);
    // The line of a readiness report is of no protocol.
    if (!told.is_object() || !told.contains("jsonrpc"))
      return line;
    if (word_ == "older")
      older_told(told);
    if (word_ == "newer")
      return newer_told(told);
    return told.dump();
  }

private:
  std::string older_asked(json asked, const std::string& method, std::string& answer) const {
    auto& params = asked["params"];
    if (method == "read_clocks") {
      misunderstood(method);
      answer =
        json{
          {"jsonrpc", "2.0"},
          {"id", asked.at("id")},
          {"error",
           {{"code", -32006},
            {"message", "/method: unknown method 'read_clocks'"},
            {"data", {{"code", "invalid"}, {"context", ""}}}}}}
          .dump();
      return {};
    }
    if (params.value("kind", "plain") != "plain" || params.contains("key"))
      misunderstood(method + " of an encrypted stream");
    for (const auto* later : {"kind", "key", "minor"})
      params.erase(later);
    return asked.dump();
  }

  static void older_told(json& told) {
    if (!told.contains("result"))
      return;
    for (auto& [type, body] : told["result"].items()) {
      for (const auto* later : {"minor", "key", "clock_shift_ns", "encryption_objection"})
        body.erase(later);
      if (type != "hello_reply")
        continue;
      body["version"] = "0.9.0";
      json known = json::array();
      for (const auto& feature : body["features"])
        if (const auto text = feature.get<std::string>();
            text.starts_with("policy-") || text == "observe")
          known.push_back(feature);
      body["features"] = known;
    }
  }

  /// One line more, once in a while: a notice that is unknown.
  std::string newer_told(json& told) {
    if (told.contains("result"))
      for (auto& [type, body] : told["result"].items()) {
        add_to_all(body);
        if (type != "hello_reply")
          continue;
        body["minor"] = 7;
        body["version"] = "1.9.0";
        body["features"].push_back("teleport");
      }
    if (told.contains("params"))
      add_to_all(told["params"]);
    told["trace"] = {{"span", "abc"}};
    const json weather{{"jsonrpc", "2.0"}, {"method", "weather"}, {"params", {{"sky", "clear"}}}};
    return told.dump() + (++lines_ % 3 == 0 ? "\n" + weather.dump() : "");
  }

  static void add_to_all(json& value) {
    if (value.is_object() || value.is_array())
      for (auto& element : value)
        add_to_all(element);
    if (value.is_object())
      value["since_1_7"] = {{"mood", "fine"}};
  }

  json other_hello(const json& id, const json& wanted) const {
    json reply{{"jsonrpc", "2.0"}, {"id", id}};
    if (word_ == "other_major")
      reply["result"]["hello_reply"] = {
        {"protocol", 2}, {"minor", 0}, {"version", "2.0.0"}, {"host", {{"name", node_}}}};
    else
      reply["error"] = {
        {"code", -32001},
        {"message",
         "protocol " + wanted.at("protocol").dump() + "." + wanted.at("minor").dump() +
           " was asked for, this agent speaks protocol 2.0; install the same version of drover "
           "here and there"},
        {"data", {{"code", "refused"}, {"context", node_ + ", drover-agent 2.0.0"}}}};
    return reply;
  }

  void misunderstood(const std::string& what) const {
    std::ofstream{run_dir_ + "/misunderstood", std::ios::app} << what << '\n';
  }

  std::string word_;
  std::string run_dir_;
  std::string node_;
  unsigned lines_ = 0;
};

void write_all(int fd, const std::string& line) {
  if (line.empty())
    return;
  const auto text = line + "\n";
  for (std::size_t at = 0; at < text.size();) {
    const auto n = ::write(fd, text.data() + at, text.size() - at);
    if (n < 0 && errno != EINTR)
      return;
    at += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
}

/// Bytes to lines; false at the end of the input.
bool read_lines(int fd, std::string& rest, const std::function<void(const std::string&)>& use) {
  std::array<char, 65536> bytes{};
  const auto n = ::read(fd, bytes.data(), bytes.size());
  if (n <= 0)
    return n < 0 && errno == EINTR;
  rest.append(bytes.data(), static_cast<std::size_t>(n));
  for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
    use(rest.substr(0, end));
    rest.erase(0, end + 1);
  }
  return true;
}

/// Until the real agent's output ends.
void pass(version& of, int to_agent, int from_agent) {
  std::string asked;
  std::string told;
  std::array<pollfd, 2> ends{{{STDIN_FILENO, POLLIN, 0}, {from_agent, POLLIN, 0}}};
  for (;;) {
    if (::poll(ends.data(), ends.size(), -1) < 0)
      continue;
    if (ends[0].revents != 0 && !read_lines(STDIN_FILENO, asked, [&](const std::string& line) {
          std::string answer;
          write_all(to_agent, of.to_agent(line, answer));
          write_all(STDOUT_FILENO, answer);
        })) {
      ::close(to_agent);
      ends[0].fd = -1;
    }
    if (ends[1].revents != 0 && !read_lines(from_agent, told, [&](const std::string& line) {
          write_all(STDOUT_FILENO, of.from_agent(line));
        }))
      return;
  }
}

} // namespace

/// Called as the real one: `--NAME VALUE` and words without a value.
int main(int argc, char** argv) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string{argv[i]}.starts_with("--"))
      flags[argv[i]] = argv[i + 1];
  std::string word;
  std::ifstream{flags["--run-dir"] + "/skew"} >> word;
  std::string agent = DROVER_AGENT_PROGRAM;
  argv[0] = agent.data();
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  if (word.empty()) {
    ::execv(argv[0], argv);
    return 127;
  }
  if (::pipe(input.data()) != 0 || ::pipe(output.data()) != 0)
    return 126;
  const auto child = ::fork();
  if (child == 0) {
    ::dup2(input[0], STDIN_FILENO);
    ::dup2(output[1], STDOUT_FILENO);
    for (const int fd : {input[0], input[1], output[0], output[1]})
      ::close(fd);
    ::execv(argv[0], argv);
    ::_exit(127);
  }
  ::close(input[0]);
  ::close(output[1]);
  version of{word, flags["--run-dir"], flags["--node"]};
  pass(of, input[1], output[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
