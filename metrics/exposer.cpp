#include "metrics/exposer.hpp"

#include "metrics/page/page.hpp"
#include "metrics/recorder.hpp"

#include <arpa/inet.h>
#include <httplib.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace drover {
namespace {

constexpr std::string_view shape = "HOST:PORT, for example 127.0.0.1:9187";
/// A page that is told nothing for this long would not notice that drover is gone.
constexpr unsigned silent_updates_max = 10;
/// Every open page holds a thread; the rest is for Prometheus and the API.
constexpr std::size_t threads = metrics_exposer::pages_max + 8;

constexpr int niceness = 10;

constexpr const char* page_policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

result<std::uint16_t> parse_port(std::string_view text, const std::string& whole) {
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, port);
  if (text.empty() || code != std::errc{} || stop != end)
    return fail(errc::invalid, "the port must be a number from 0 to 65535", whole);
  return port;
}

std::optional<std::uint32_t> ipv4_of(const std::string& host) {
  in_addr parsed{};
  if (inet_pton(AF_INET, host.c_str(), &parsed) != 1)
    return std::nullopt;
  return ntohl(parsed.s_addr);
}

bool is_loopback(const std::string& host) {
  const auto ip = ipv4_of(host);
  return host == "localhost" || (ip && (*ip >> 24) == 127);
}

/// The time does not tell how much of it was right.
bool same(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

std::string host_of(const std::string& header) { return header.substr(0, header.find(':')); }

} // namespace

result<listen_address> parse_listen_address(std::string_view text, std::string_view token) {
  const std::string whole{text};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0)
    return fail(errc::invalid, "a metrics address must be " + std::string{shape}, whole);
  const auto port = parse_port(text.substr(colon + 1), whole);
  if (!port)
    return tl::unexpected{port.error()};
  std::string host{text.substr(0, colon)};
  if (host == "localhost")
    host = "127.0.0.1";
  if (!is_loopback(host) && token.empty())
    return fail(
      errc::invalid,
      "metrics are served on loopback only (localhost or 127.x.y.z), because nothing guards the "
      "page: name a file with --metrics-token-file, or put an authenticating proxy before it",
      whole);
  if (!ipv4_of(host))
    return fail(errc::invalid, "a metrics address must be a numeric IPv4 address", whole);
  return listen_address{host, *port};
}

class metrics_exposer::server {
public:
  explicit server(exposer_settings settings) : settings_(std::move(settings)) {
    http_.new_task_queue = [] { return new httplib::ThreadPool(threads); };
    // The library would share a busy port with whoever has it.
    http_.set_socket_options([](socket_t s) {
      const int yes = 1;
      setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    http_.set_pre_routing_handler([this](const auto& asked, auto& answer) {
      answer.set_header("X-Content-Type-Options", "nosniff");
      answer.set_header("Cache-Control", "no-store");
      return check(asked, answer);
    });
    serve_page();
    serve_data();
  }

  ~server() {
    {
      const std::lock_guard guard{mutex_};
      ending_ = true;
    }
    wake_.notify_all();
    http_.stop();
    if (listener_.joinable())
      listener_.join();
  }

  /// The bound port, or nothing.
  std::optional<std::uint16_t> listen(const listen_address& wanted) {
    int port = wanted.port;
    if (port == 0)
      port = http_.bind_to_any_port(wanted.host);
    else if (!http_.bind_to_port(wanted.host, port))
      port = -1;
    if (port <= 0)
      return std::nullopt;
    listener_ = std::thread{[this] {
      // The threads that answer are this one's and inherit it: what is watched comes first.
      static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), niceness));
      http_.listen_after_bind();
    }};
    // A stop that comes before the server runs would be forgotten.
    while (!http_.is_running())
      std::this_thread::yield();
    return static_cast<std::uint16_t>(port);
  }

private:
  using outcome = httplib::Server::HandlerResponse;

  /// Without a token only who is on this host may ask, and a foreign site that has its name point
  /// here is not: its requests carry that name.
  outcome check(const httplib::Request& asked, httplib::Response& answer) {
    const bool guarded = !settings_.token.empty();
    const bool is_data =
      asked.path == "/metrics" || asked.path == "/events" || asked.path.rfind("/api/", 0) == 0;
    const auto deny = [&answer](int status, const char* why) {
      answer.status = status;
      answer.set_content(std::string{why} + "\n", "text/plain");
      return outcome::Handled;
    };
    if (asked.method != "GET" && asked.method != "HEAD")
      return deny(405, "this server only answers GET");
    if (!guarded && !is_loopback(host_of(asked.get_header_value("Host"))))
      return deny(403, "ask for localhost or 127.0.0.1");
    if (guarded && is_data && !same(token_of(asked), settings_.token))
      return deny(401, "the token is missing or wrong");
    return outcome::Unhandled;
  }

  static std::string token_of(const httplib::Request& asked) {
    const std::string scheme = "Bearer ";
    const auto header = asked.get_header_value("Authorization");
    return header.rfind(scheme, 0) == 0 ? header.substr(scheme.size())
                                        : asked.get_param_value("token");
  }

  void serve_page() {
    http_.Get("/", [](const httplib::Request&, httplib::Response& answer) {
      answer.set_header("Content-Security-Policy", page_policy);
      answer.set_header("Referrer-Policy", "no-referrer");
      answer.set_content(live_page(), "text/html; charset=utf-8");
    });
    const auto serve = [this](const char* path, std::string_view text, const char* type) {
      http_.Get(path, [text, type](const httplib::Request&, httplib::Response& answer) {
        answer.set_content(text.data(), text.size(), type);
      });
    };
    serve("/view.css", view_style(), "text/css; charset=utf-8");
    serve("/view.js", view_script(), "text/javascript; charset=utf-8");
    serve("/live.js", live_script(), "text/javascript; charset=utf-8");
  }

  void serve_data() {
    http_.Get("/metrics", [this](const httplib::Request&, httplib::Response& answer) {
      answer.set_content(
        exposition(*settings_.registry), "text/plain; version=0.0.4; charset=utf-8");
    });
    const auto as_json = [](const nlohmann::ordered_json& value, httplib::Response& answer) {
      if (value.is_null())
        answer.status = 404;
      answer.set_content(
        value.is_null() ? std::string{"{\"error\": \"there is no such evacuation\"}\n"}
                        : value.dump() + "\n",
        "application/json");
    };
    http_.Get(
      "/api/evacuations", [this, as_json](const httplib::Request&, httplib::Response& answer) {
        as_json(settings_.history->evacuations(), answer);
      });
    http_.Get(
      R"(/api/evacuations/([^/]+))",
      [this, as_json](const httplib::Request& asked, httplib::Response& answer) {
        as_json(settings_.history->evacuation(asked.matches[1]), answer);
      });
    http_.Get(
      "/events", [this](const httplib::Request&, httplib::Response& answer) { follow(answer); });
  }

  void follow(httplib::Response& answer) {
    if (++pages_ > pages_max) {
      --pages_;
      answer.status = 503;
      answer.set_content("too many pages look at this run\n", "text/plain");
      return;
    }
    auto seen = std::make_shared<history_version>(0);
    auto silent = std::make_shared<unsigned>(silent_updates_max);
    answer.set_chunked_content_provider(
      "text/event-stream",
      [this, seen, silent](std::size_t, httplib::DataSink& sink) {
        return send_update(*seen, *silent, sink);
      },
      [this](bool) { --pages_; });
  }

  /// One update, or a comment after a silence, or nothing; then a pause.
  bool send_update(history_version& seen, unsigned& silent, httplib::DataSink& sink) {
    const auto version = settings_.history->version();
    std::string text;
    if (version != seen || (seen == 0 && silent == silent_updates_max)) {
      const auto update = settings_.history->since(seen);
      seen = update.at("version").get<history_version>();
      text = "data: " + update.dump() + "\n\n";
      silent = 0;
    } else if (++silent > silent_updates_max) {
      text = ": still here\n\n";
      silent = 1;
    }
    if (!text.empty() && !sink.write(text.data(), text.size()))
      return false;
    std::unique_lock guard{mutex_};
    return !wake_.wait_for(
      guard, std::chrono::milliseconds{update_interval_ms}, [this] { return ending_; });
  }

  exposer_settings settings_;
  httplib::Server http_;
  std::thread listener_;
  std::atomic<unsigned> pages_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
};

result<std::unique_ptr<metrics_exposer>> metrics_exposer::open(exposer_settings settings) {
  if (!settings.token.empty() && settings.token.size() < token_length_min)
    return fail(
      errc::invalid,
      "the token must have at least " + std::to_string(token_length_min) + " characters");
  auto wanted = parse_listen_address(settings.address, settings.token);
  if (!wanted)
    return tl::unexpected(wanted.error());
  const auto asked = settings.address;
  auto running = std::make_unique<server>(std::move(settings));
  const auto port = running->listen(*wanted);
  if (!port)
    return fail(
      errc::refused, "cannot listen for metrics: is the port in use or privileged?", asked);
  wanted->port = *port;
  return std::unique_ptr<metrics_exposer>{new metrics_exposer{*wanted, std::move(running)}};
}

metrics_exposer::metrics_exposer(listen_address bound, std::unique_ptr<server> running)
  : bound_(std::move(bound)), server_(std::move(running)) {}

metrics_exposer::~metrics_exposer() = default;

std::string metrics_exposer::address() const {
  return bound_.host + ":" + std::to_string(bound_.port);
}

} // namespace drover
