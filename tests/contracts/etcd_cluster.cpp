#include "tests/contracts/etcd_cluster.hpp"

#include "runtime/base/unique_fd.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <fcntl.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ;

namespace drover::contracts {
namespace {

constexpr std::chrono::seconds start_patience{30};

/// Free just now; the kernel gives out others first for a while.
std::string free_address() {
  const unique_fd door(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (
    ::bind(door.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
    ::getsockname(door.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port");
  return "://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

pid_t spawn(const std::vector<std::string>& words, const std::string& log) {
  std::vector<char*> argv;
  for (const auto& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0)
    throw std::runtime_error("etcd cannot be started: is etcd-server installed?");
  return pid;
}

} // namespace

etcd_members::etcd_members(std::size_t count, etcd_security security) : security_(security) {
  if (security == etcd_security::tls_and_login)
    make_certificate();
  const std::string scheme = security == etcd_security::plain ? "http" : "https";
  for (std::size_t i = 0; i < count; ++i)
    members_.push_back({scheme + free_address(), "http" + free_address(), 0});
  for (std::size_t i = 0; i < count; ++i)
    start(i);
  wait_ready();
  if (security == etcd_security::tls_and_login)
    enable_login();
}

/// One for everybody: the members, the client, and its own authority. It has no CommonName, since
/// etcd's gateway answers 400 to a client whose certificate has one when users log in.
void etcd_members::make_certificate() {
  const auto key = (directory_.path() / "key.pem").string();
  const auto certificate = (directory_.path() / "certificate.pem").string();
  const auto pid = spawn(
    {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
     "-keyout", key, "-out", certificate, "-subj", "/O=drover-test", "-days", "2", "-addext",
     "subjectAltName=IP:127.0.0.1"},
    (directory_.path() / "openssl.log").string());
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || status != 0)
    throw std::runtime_error("no certificate");
}

void etcd_members::enable_login() {
  etcd::client asked(reached());
  for (const auto& [path, body] :
       {std::pair{"/auth/user/add", R"({"name":"root","password":"secret"})"},
        {"/auth/role/add", R"({"name":"root"})"},
        {"/auth/user/grant", R"({"user":"root","role":"root"})"},
        {"/auth/enable", "{}"}})
    if (const auto answer = asked.post(path, body); !answer)
      throw std::runtime_error(std::string(path) + ": " + to_string(answer.error()));
  has_login_ = true;
}

etcd_members::~etcd_members() {
  for (std::size_t i = 0; i < members_.size(); ++i)
    kill(i);
}

etcd::access etcd_members::reached() const {
  etcd::access how;
  for (const auto& one : members_)
    how.endpoints.push_back(one.client_url);
  if (security_ == etcd_security::tls_and_login) {
    how.ca = how.certificate = directory_.path() / "certificate.pem";
    how.key = directory_.path() / "key.pem";
  }
  if (has_login_) {
    how.user = "root";
    how.password = "secret";
  }
  return how;
}

void etcd_members::start(std::size_t which) {
  auto& one = members_.at(which);
  const auto name = "m" + std::to_string(which + 1);
  std::string all;
  for (std::size_t i = 0; i < members_.size(); ++i)
    all += (i == 0 ? "m" : ",m") + std::to_string(i + 1) + "=" + members_[i].peer_url;
  std::vector<std::string> words{
    "etcd",
    "--name",
    name,
    "--data-dir",
    (directory_.path() / name).string(),
    "--listen-client-urls",
    one.client_url,
    "--advertise-client-urls",
    one.client_url,
    "--listen-peer-urls",
    one.peer_url,
    "--initial-advertise-peer-urls",
    one.peer_url,
    "--initial-cluster",
    all,
    "--initial-cluster-token",
    "drover-test",
    "--logger=zap",
    "--log-level",
    "warn",
    "--heartbeat-interval",
    "50",
    "--election-timeout",
    "500",
    "--pre-vote"};
  const auto certificate = (directory_.path() / "certificate.pem").string();
  if (security_ == etcd_security::tls_and_login)
    for (const auto& word :
         {std::string{"--cert-file"}, certificate, std::string{"--key-file"},
          (directory_.path() / "key.pem").string(), std::string{"--trusted-ca-file"}, certificate,
          std::string{"--client-cert-auth"}})
      words.push_back(word);
  one.pid = spawn(words, (directory_.path() / (name + ".log")).string());
}

void etcd_members::signal(std::size_t which, int what) {
  if (members_.at(which).pid > 0)
    ::kill(members_.at(which).pid, what);
}

void etcd_members::kill(std::size_t which) {
  signal(which, SIGKILL);
  if (auto& pid = members_.at(which).pid; pid > 0) {
    ::waitpid(pid, nullptr, 0);
    pid = 0;
  }
}

void etcd_members::wait_ready() {
  etcd::client asked(reached());
  const auto limit = monotonic_now() + start_patience;
  etcd::transaction write;
  write.puts.push_back({"/test/ready", "yes"});
  while (!asked.post("/kv/txn", etcd::transaction_request(write))) {
    if (monotonic_now() > limit)
      throw std::runtime_error("the etcd cluster does not come up");
    std::this_thread::sleep_for(milliseconds{50});
  }
}

std::size_t etcd_members::leader() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    auto how = reached();
    how.endpoints = {members_[i].client_url};
    etcd::client asked(std::move(how));
    const auto body = asked.post("/maintenance/status", "{}");
    if (!body)
      continue;
    const auto status = nlohmann::json::parse(*body, nullptr, false);
    if (status.at("leader") == status.at("header").at("member_id"))
      return i;
  }
  throw std::runtime_error("no leader");
}

} // namespace drover::contracts
