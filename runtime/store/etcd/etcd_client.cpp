#include "runtime/store/etcd/etcd_client.hpp"

#include <atomic>
#include <curl/curl.h>
#include <utility>

namespace drover::etcd {
namespace {

/// A member that is stopped takes connections and does not answer; a healthy one answers in
/// milliseconds, one whose disk is slow in some hundred.
constexpr long connect_timeout_ms = 700;
constexpr long request_timeout_ms = 2'000;

struct curl_deleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct multi_deleter {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct list_deleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using curl_handle = std::unique_ptr<CURL, curl_deleter>;
using curl_list = std::unique_ptr<curl_slist, list_deleter>;

using sink = std::function<bool(const char*, std::size_t)>;

std::size_t take(char* data, std::size_t size, std::size_t count, void* to) {
  const auto length = size * count;
  return (*static_cast<sink*>(to))(data, length) ? length : 0;
}

/// Nothing of the request has left this host.
bool was_not_sent(CURLcode code) {
  switch (code) {
  case CURLE_COULDNT_CONNECT:
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CACERT_BADFILE:
    return true;
  default:
    return false;
  }
}

error error_of(CURLcode code, const std::string& endpoint) {
  const std::string said = curl_easy_strerror(code);
  if (was_not_sent(code))
    return {errc::retry, "etcd cannot be reached: " + said, endpoint};
  if (code == CURLE_OPERATION_TIMEDOUT)
    return {errc::timeout, "etcd did not answer in time", endpoint};
  return {errc::lost, "the connection to etcd broke: " + said, endpoint};
}

} // namespace

struct client::session {
  access reached;
  std::size_t at = 0;
  std::string token;
  std::atomic<bool> is_woken = false;
  curl_handle easy{curl_easy_init()};
  std::unique_ptr<CURLM, multi_deleter> multi{curl_multi_init()};

  void set_up(
    const std::string& path, const std::string& body, const curl_slist* headers, sink& into) {
    auto* handle = easy.get();
    curl_easy_reset(handle); // keeps the connection
    const auto url = reached.endpoints.at(at) + "/v3" + path;
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &into);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
    if (!reached.ca.empty())
      curl_easy_setopt(handle, CURLOPT_CAINFO, reached.ca.c_str());
    if (!reached.certificate.empty())
      curl_easy_setopt(handle, CURLOPT_SSLCERT, reached.certificate.c_str());
    if (!reached.key.empty())
      curl_easy_setopt(handle, CURLOPT_SSLKEY, reached.key.c_str());
  }

  /// Without a leader a call fails at once instead of after 7 s, and a watch is ended instead of
  /// being silent.
  curl_list headers() const {
    curl_slist* list = nullptr;
    list = curl_slist_append(list, "Content-Type: application/json");
    list = curl_slist_append(list, "Grpc-Metadata-Hasleader: true");
    list = curl_slist_append(list, "Expect:");
    if (!token.empty())
      list = curl_slist_append(list, ("Authorization: " + token).c_str());
    return curl_list{list};
  }
};

client::client(access reached) : session_(std::make_unique<session>()) {
  session_->reached = std::move(reached);
}
client::~client() = default;
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;

const std::string& client::endpoint() const { return session_->reached.endpoints.at(session_->at); }

void client::next_endpoint() {
  session_->at = (session_->at + 1) % session_->reached.endpoints.size();
}

result<std::string> client::post_once(
  const std::string& path, const std::string& body, bool& login_over) {
  std::string answer;
  sink into = [&answer](const char* data, std::size_t size) {
    answer.append(data, size);
    return true;
  };
  const auto headers = session_->headers();
  session_->set_up(path, body, headers.get(), into);
  auto* handle = session_->easy.get();
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, request_timeout_ms);
  if (const auto code = curl_easy_perform(handle); code != CURLE_OK) {
    auto why = error_of(code, endpoint());
    next_endpoint();
    return tl::unexpected{std::move(why)};
  }
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status == 200)
    return answer;
  auto [why, is_login_over] = parse_failure(static_cast<int>(status), answer);
  login_over = is_login_over;
  if (why.code == errc::refused || is_unknown(why.code))
    next_endpoint();
  return tl::unexpected{std::move(why)};
}

result<done> client::log_in() {
  if (session_->reached.user.empty() || !session_->token.empty())
    return done{};
  bool login_over = false;
  const auto answer = post_once(
    "/auth/authenticate", login_request(session_->reached.user, session_->reached.password),
    login_over);
  if (!answer)
    return tl::unexpected{answer.error()};
  auto token = parse_token(*answer);
  if (!token)
    return tl::unexpected{token.error()};
  session_->token = std::move(*token);
  return done{};
}

result<std::string> client::post(const std::string& path, const std::string& body) {
  for (int attempt = 0;; ++attempt) {
    if (auto in = log_in(); !in) {
      // A login changes nothing, so whatever became of it, the request itself was not sent.
      if (is_unknown(in.error().code))
        in.error().code = errc::retry;
      return tl::unexpected{in.error()};
    }
    bool login_over = false;
    auto answer = post_once(path, body, login_over);
    if (!login_over || attempt > 0)
      return answer;
    session_->token.clear();
  }
}

result<done> client::read_lines(
  const std::string& path, const std::string& body, nanoseconds silence,
  const std::function<bool(const std::string&)>& on_line) {
  if (const auto in = log_in(); !in)
    return in;
  std::string rest;
  bool heard = false;
  bool enough = false;
  sink into = [&](const char* data, std::size_t size) {
    heard = true;
    rest.append(data, size);
    for (auto end = rest.find('\n'); end != std::string::npos && !enough; end = rest.find('\n')) {
      enough = !on_line(rest.substr(0, end));
      rest.erase(0, end + 1);
    }
    return !enough;
  };
  const auto headers = session_->headers();
  session_->set_up(path, body, headers.get(), into);
  auto* multi = session_->multi.get();
  curl_multi_add_handle(multi, session_->easy.get());
  result<done> ended = done{};
  auto silent_since = monotonic_now();
  for (int running = 1; running > 0 && !enough;) {
    curl_multi_perform(multi, &running);
    if (std::exchange(heard, false))
      silent_since = monotonic_now();
    if (monotonic_now() - silent_since > silence) {
      ended = fail(errc::timeout, "etcd told nothing for a while", endpoint());
      break;
    }
    int ready = 0;
    constexpr int poll_ms = 1'000;
    curl_multi_poll(multi, nullptr, 0, poll_ms, &ready);
    if (session_->is_woken.exchange(false))
      break;
  }
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi, &left))
    if (message->msg == CURLMSG_DONE && message->data.result != CURLE_OK && !enough)
      ended = tl::unexpected{error_of(message->data.result, endpoint())};
  curl_multi_remove_handle(multi, session_->easy.get());
  long status = 0;
  curl_easy_getinfo(session_->easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (ended && status != 0 && status != 200) {
    auto [why, is_login_over] = parse_failure(static_cast<int>(status), rest);
    if (is_login_over)
      session_->token.clear();
    ended = tl::unexpected{std::move(why)};
  }
  return ended;
}

void client::wake() {
  session_->is_woken = true;
  curl_multi_wakeup(session_->multi.get());
}

} // namespace drover::etcd
